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
	if err := confine(); err != nil {
		log.Fatal(err)
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

func contests() []contest {
	all, two, ours := []string{kindFloor, kindNaive, kindTurnout}, []string{kindNaive, kindTurnout}, []string{kindTurnout}
	return []contest{
		{scene: scene{"1 to 30, audio and video, frames of 6", 1, 30, 1, camera}, kinds: all},
		{scene: scene{"1 to 100, audio", 1, 100, 1, talking}, kinds: all},
		{scene: scene{"10 to each other, audio and video", 10, 0, 1, camera}, kinds: two},
		{scene: scene{"1 to 1, audio and video", 1, 1, 1, camera}, kinds: all},
		{scene: scene{"half load, rooms of 10, audio and video", 10, 0, 0, camera}, kinds: two, half: true},
		{scene: scene{"1 to 30, 10 frames a second", 1, 30, 1, slow}, kinds: ours},
		{scene: scene{"1 to 300, 10 frames a second", 1, 300, 1, slow}, kinds: ours},
	}
}

func bench(chosen *regexp.Regexp, rounds int, window time.Duration) error {
	fmt.Printf("%d rounds of %v, medians; load of the machine before: %s\n\n", rounds, window, loadAverage())
	for _, c := range contests() {
		if !chosen.MatchString(c.name) {
			continue
		}
		if err := c.compare(rounds, window); err != nil {
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
