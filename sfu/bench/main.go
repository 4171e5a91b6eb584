//go:build linux

// Command bench measures what forwarding media costs, on loopback only: our engine beside the forwarder that everybody writes
// first with pion/webrtc, and beside the least that is possible in Go. Each server is a process of its own on one processor;
// the clients are on the other. docs/benchmarks.md says how to read what it prints.
//
//	go run ./sfu/bench -rounds 5
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"runtime"
	"slices"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		if err := serve(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		return
	}
	rounds := flag.Int("rounds", 5, "rounds, interleaved over the servers")
	window := flag.Duration("time", 4*time.Second, "time of one measurement")
	only := flag.String("run", ".", "regular expression that chooses what is measured")
	flag.Parse()
	chosen, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	if runtime.NumCPU() > 1 {
		if err := pin(0, ownCPU); err != nil {
			log.Fatal(err)
		}
	}
	if err := bench(chosen, *rounds, *window); err != nil {
		log.Fatal(err)
	}
}

// The scenes. Frames are of 6 packets, 30 a second, with 50 packets of audio a second.
var (
	camera  = feed{frame: 6, fps: 30, audio: 50}
	slow    = feed{frame: 6, fps: 10, audio: 16}
	talking = feed{audio: 50}
)

func bench(chosen *regexp.Regexp, rounds int, window time.Duration) error {
	fmt.Printf("%d rounds of %v, medians; load of the machine before: %s\n\n", rounds, window, loadAverage())
	compared := []struct {
		scene
		kinds []string
	}{
		{scene{"1 to 30, audio and video, frames of 6", 1, 30, camera}, []string{kindFloor, kindNaive, kindTurnout}},
		{scene{"1 to 100, audio", 1, 100, talking}, []string{kindFloor, kindNaive, kindTurnout}},
		{scene{"10 to each other, audio and video", 10, 0, camera}, []string{kindNaive, kindTurnout}},
		{scene{"1 to 1, audio and video", 1, 1, camera}, []string{kindNaive, kindTurnout}},
		{scene{"1 to 150, audio and video", 1, 150, camera}, []string{kindTurnout}},
		{scene{"1 to 30, 10 frames a second", 1, 30, slow}, []string{kindTurnout}},
		{scene{"1 to 300, 10 frames a second", 1, 300, slow}, []string{kindTurnout}},
	}
	for _, c := range compared {
		if !chosen.MatchString(c.name) {
			continue
		}
		if err := compare(c.scene, c.kinds, rounds, window); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, m := range []struct {
		name    string
		measure func() error
	}{{"joins", joins}, {"memory", memory}} {
		if chosen.MatchString(m.name) {
			if err := m.measure(); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	return nil
}

// compare plays a scene on each server in turn, so that what else the machine does falls on all of them.
func compare(s scene, kinds []string, rounds int, window time.Duration) error {
	results := make([][]outcome, len(kinds))
	for range rounds {
		for i, kind := range kinds {
			o, err := s.run(kind, window)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			results[i] = append(results[i], o)
		}
	}
	fmt.Printf("%s\n%-10s %10s %16s %8s %8s %8s %9s %9s %10s\n", s.name, "", "µs/packet", "min–max", "allocs", "busy", "loss %", "p50 ms", "p99 ms", "packets/s")
	medians := make([]outcome, len(kinds))
	for i, kind := range kinds {
		m := middle(results[i])
		medians[i] = m
		low, high := span(results[i])
		fmt.Printf("%-10s %10.2f %16s %8.3f %8.2f %8.3f %9.2f %9.2f %10.0f\n", kind, m.cpu, fmt.Sprintf("%.2f–%.2f", low, high), m.allocs, m.busy, m.loss, m.p50, m.p99, m.packetsRate)
	}
	own := medians[len(medians)-1]
	base, err := direct(s.feed, window)
	if err != nil {
		return err
	}
	for i, kind := range kinds[:len(kinds)-1] {
		fmt.Printf("turnout costs %.2f of %s", own.cpu/medians[i].cpu, kind)
		if medians[i].p50 > base {
			fmt.Printf(", and adds %.2f of its median latency (%.2f ms are the clients' own)", (own.p50-base)/(medians[i].p50-base), base)
		}
		fmt.Println()
	}
	fmt.Println()
	return nil
}

func median(list []outcome, of func(outcome) float64) float64 {
	var v []float64
	for _, r := range list {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func middle(list []outcome) outcome {
	return outcome{
		cpu:         median(list, func(o outcome) float64 { return o.cpu }),
		busy:        median(list, func(o outcome) float64 { return o.busy }),
		allocs:      median(list, func(o outcome) float64 { return o.allocs }),
		loss:        median(list, func(o outcome) float64 { return o.loss }),
		p50:         median(list, func(o outcome) float64 { return o.p50 }),
		p99:         median(list, func(o outcome) float64 { return o.p99 }),
		packetsRate: median(list, func(o outcome) float64 { return o.packetsRate }),
	}
}

func span(list []outcome) (low, high float64) {
	low, high = list[0].cpu, list[0].cpu
	for _, o := range list {
		low, high = min(low, o.cpu), max(high, o.cpu)
	}
	return low, high
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return string(b[:min(len(b), 14)])
}
