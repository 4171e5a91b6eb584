//go:build linux

// Command bench measures what relaying costs, beside Debian's coturn, on loopback only. It starts each server as a process
// of its own, drives it with clients that send over channels to an echo peer, and compares CPU, loss and round-trip time.
//
//	go run ./turn/bench -rounds 5 -rate 15000
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		serve(os.Args[2:])
		return
	}
	rounds := flag.Int("rounds", 5, "rounds, interleaved over the servers")
	rate := flag.Int("rate", 15000, "datagrams that the clients send a second; as many come back")
	clients := flag.Int("clients", 20, "clients")
	size := flag.Int("size", 1000, "payload in bytes")
	duration := flag.Duration("time", 4*time.Second, "time of a round")
	flag.Parse()
	if err := compare(*rounds, load{rate: *rate, clients: *clients, size: *size, duration: *duration}); err != nil {
		log.Fatal(err)
	}
}

// compare runs every server in turn, so that what else the machine does falls on all of them.
func compare(rounds int, l load) error {
	servers := []server{ours("turnout"), ours("turnout, portable", "-portable")}
	if c, ok := coturn(); ok {
		servers = append([]server{c}, servers...)
	} else {
		fmt.Println("turnserver is not installed (apt-get install coturn): no comparison")
	}
	results := make([][]result, len(servers))
	for round := range rounds {
		for i, s := range servers {
			r, err := s.measure(l)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			results[i] = append(results[i], r)
			fmt.Printf("%d  %-18s %s\n", round+1, s.name, r)
		}
	}
	fmt.Printf("\nmedian of %d rounds, %d datagrams/s relayed, %d clients, %d bytes\n", rounds, 2*l.rate, l.clients, l.size)
	base := median(results[0], func(r result) float64 { return r.cpu })
	for i, s := range servers {
		cpu := median(results[i], func(r result) float64 { return r.cpu })
		fmt.Printf("%-18s %.2f of %s, %.2f µs/packet, loss %.3f %%, RTT p50 %.2f p99 %.2f ms\n", s.name, cpu/base, servers[0].name, cpu,
			median(results[i], func(r result) float64 { return r.loss }),
			median(results[i], func(r result) float64 { return r.p50 }), median(results[i], func(r result) float64 { return r.p99 }))
	}
	return nil
}

func median(list []result, of func(result) float64) float64 {
	var v []float64
	for _, r := range list {
		v = append(v, of(r))
	}
	slices.Sort(v)
	return v[len(v)/2]
}
