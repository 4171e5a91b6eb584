// Command bench measures what a server of documents costs: many clients on one document, each typing. It starts turnout and, beside
// it, the Node servers whose clients turnout serves, one after the other, with the same load:
//
//	make bench-data
//
// Then the clients are members of a room with data channels, and one of them sends 100 messages of 100 bytes a second to all others.
// It prints the CPU time of the server for each update delivered to a client, its memory, and how long acknowledgements take.
// Each server has one processor and this process, which makes the load, another. The machine should have nothing else to do; compare figures of
// one run only.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// load is what the clients do.
type load struct {
	clients int
	rate    float64 // edits a second, of each
	time    time.Duration
}

// result is what was measured.
type result struct {
	delivered int           // updates, to all clients together
	cpu       time.Duration // of the server
	rss       int           // bytes, at most
	acks      []time.Duration
	lag       time.Duration // of the load itself: the worst delay of an edit
}

func main() {
	var l load
	binary := flag.String("turnout", "bin/turnout", "the binary to measure")
	flag.IntVar(&l.clients, "clients", 50, "clients on one document")
	flag.Float64Var(&l.rate, "rate", 20, "edits a second of each client")
	flag.DurationVar(&l.time, "time", 5*time.Second, "how long they type")
	only := flag.String("only", "", "measure no other wire than this, for example \"data channel\"")
	flag.Parse()
	if err := run(*binary, wire(*only), l); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, only wire, l load) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVER\tWIRE\tDELIVERED\tCPU/UPDATE\tRSS\tACK P50\tACK P99\tLOAD LAG")
	var failed error
	for _, s := range []struct {
		name  string
		start func() (*server, error)
		wires []wire
	}{
		{"turnout", func() (*server, error) { return startTurnout(binary) }, []wire{yWebsocket, hocuspocus, dataChannel}},
		{"y-websocket-server", func() (*server, error) { return startNode("y-websocket.mjs") }, []wire{yWebsocket}},
		{"Hocuspocus", func() (*server, error) { return startNode("hocuspocus.mjs") }, []wire{hocuspocus}},
	} {
		for _, wire := range s.wires {
			if only != "" && wire != only {
				continue
			}
			r, err := measure(s.start, wire, l)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", s.name, err))
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%.2f µs\t%.1f MB\t%s\t%s\t%v\n", s.name, wire, r.delivered,
				float64(r.cpu.Nanoseconds())/1000/float64(r.delivered), float64(r.rss)/1e6, quantile(r.acks, 0.5), quantile(r.acks, 0.99), r.lag.Round(time.Millisecond))
			_ = w.Flush()
		}
	}
	return failed
}

func quantile(times []time.Duration, q float64) string {
	if len(times) == 0 {
		return "-"
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))].Round(10 * time.Microsecond).String()
}

// measure starts a server, lets clients type, and stops it.
func measure(start func() (*server, error), w wire, l load) (result, error) {
	s, err := start()
	if err != nil {
		return result{}, err
	}
	defer s.stop()
	if w == dataChannel {
		return talkAll(s, l)
	}
	return typeAll(s, w, l)
}
