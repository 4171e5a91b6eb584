//go:build linux

// Command bench measures what relaying costs, beside Debian's coturn, on loopback only. It starts each server as a process
// of its own, drives it with clients that send over channels to an echo peer, and compares CPU, loss and round-trip time.
//
//	go run ./turn/bench -rounds 5 -rate 30000,10000
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(os.Args[2:])
		return
	}
	rounds := flag.Int("rounds", 5, "rounds, interleaved over the servers")
	rates := flag.String("rate", "30000,10000", "datagrams that are relayed a second, both ways together; one or more")
	clients := flag.Int("clients", 20, "clients")
	size := flag.Int("size", 1000, "payload in bytes")
	duration := flag.Duration("time", 4*time.Second, "time of a round")
	portable := flag.Bool("portable", false, "measure the data plane of other systems, too")
	flag.Parse()
	servers := []server{ours("turnout")}
	if *portable {
		servers = append(servers, ours("turnout, portable", "-portable"))
	}
	if c, ok := coturn(); ok {
		servers = append([]server{c}, servers...)
	} else {
		fmt.Println("turnserver is not installed (apt-get install coturn): no comparison")
	}
	for _, text := range strings.Split(*rates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil || rate < 2 {
			log.Fatalf("-rate %q: give numbers with commas between them", text)
		}
		l := load{rate: rate / 2, clients: *clients, size: *size, duration: *duration}
		if err := compare(servers, *rounds, l); err != nil {
			log.Fatal(err)
		}
	}
}

// compare runs every server in turn, so that what else the machine does falls on all of them.
func compare(servers []server, rounds int, l load) error {
	fmt.Printf("%d datagrams/s relayed, %d clients, %d bytes\n", 2*l.rate, l.clients, l.size)
	results := make([][]result, len(servers))
	for round := range rounds {
		for i, s := range servers {
			r, err := s.measure(l)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			results[i] = append(results[i], r)
			fmt.Printf("%3d  %-18s %s\n", round+1, s.name, r)
		}
	}
	fmt.Printf("medians of %d rounds\n", rounds)
	for i, s := range servers {
		fmt.Printf("     %-18s %s\n", s.name, medians(results[i]))
	}
	for i, s := range servers[1:] {
		fmt.Printf("     %s / %s: CPU per datagram %.2f, p99 of the round trip %.2f, loss %+.3f %%\n", s.name, servers[0].name,
			ratio(results[i+1], results[0], func(r result) float64 { return r.cpu }),
			ratio(results[i+1], results[0], func(r result) float64 { return r.p99 }),
			medians(results[i+1]).loss-medians(results[0]).loss)
	}
	fmt.Println()
	return nil
}
