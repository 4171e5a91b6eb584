//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// contest is a scene and the servers that play it.
type contest struct {
	scene
	kinds []string // turnout is the last
	half  bool     // with as many rooms for each as are half load
}

// compare plays a scene on each server in turn, so that what else the machine does falls on all of them.
func (c contest) compare(rounds int, window time.Duration) error {
	fmt.Println(c.name)
	scenes, err := c.scenes()
	if err != nil {
		return err
	}
	results := make([][]outcome, len(c.kinds))
	for round := range rounds {
		for i, kind := range c.kinds {
			o, err := scenes[i].run(kind, round, window)
			if err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
			results[i] = append(results[i], o)
		}
	}
	fmt.Printf("%-10s %10s %16s %8s %8s %8s %9s %9s %10s %8s\n", "", "µs/packet", "min–max", "allocs", "busy", "loss %", "p50 ms", "p99 ms", "packets/s", "load")
	medians := make([]outcome, len(c.kinds))
	for i, kind := range c.kinds {
		m := middle(results[i])
		medians[i] = m
		low, high := span(results[i])
		fmt.Printf("%-10s %10.2f %16s %8.3f %8.2f %8.3f %9.3f %9.3f %10.0f %8.2f\n",
			kind, m.cpu, fmt.Sprintf("%.2f–%.2f", low, high), m.allocs, m.busy, m.loss, m.p50, m.p99, m.packetsRate, m.load)
	}
	for i, kind := range c.kinds {
		doubt(kind, results[i])
	}
	own, first := medians[len(medians)-1], medians[0]
	for i, kind := range c.kinds[:len(c.kinds)-1] {
		fmt.Printf("turnout costs %.2f of %s, its median latency is %.2f", own.cpu/medians[i].cpu, kind, own.p50/medians[i].p50)
		if c.kinds[0] == kindFloor && i > 0 {
			fmt.Printf(", of what is above the floor %.2f", (own.p50-first.p50)/(medians[i].p50-first.p50))
		}
		fmt.Println()
	}
	fmt.Println()
	return nil
}

// scenes are what each server plays.
func (c contest) scenes() ([]scene, error) {
	all := make([]scene, len(c.kinds))
	for i, kind := range c.kinds {
		all[i] = c.scene
		if !c.half {
			continue
		}
		rooms, limit, err := c.ramp(kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		fmt.Printf("%s plays %d rooms", kind, rooms)
		if limit != "" {
			fmt.Printf(", which is less than half load: %s", limit)
		}
		fmt.Println()
		all[i].rooms = rooms
	}
	return all, nil
}

// What may be without anything being said, in per cent.
const (
	fineLate   = 2 // of the frames
	fineBeside = 5 // of a processor
)

// doubt says where figures are not, or not only, those of the server.
func doubt(kind string, all []outcome) {
	var dropped, failed, repeats float64
	var why error
	for _, o := range all {
		if o.failed > 0 {
			why = o.why
		}
		dropped, failed, repeats = dropped+o.dropped, failed+o.failed, repeats+o.repeats
	}
	m := middle(all)
	if m.beside > fineBeside || m.besideLoad > fineBeside {
		fmt.Printf("%s: something else used %.0f %% of the server's processor, and %.0f %% of that of the load\n", kind, m.beside, m.besideLoad)
	}
	if m.load > maxLoad {
		fmt.Printf("%s: the load is saturated: it is busy %.0f %% of its time\n", kind, 100*m.load)
	}
	if m.late > fineLate {
		fmt.Printf("%s: %.1f %% of frames left more than %v late\n", kind, m.late, lateAfter)
	}
	if dropped > 0 {
		fmt.Printf("%s: the load has read %.0f messages too late: the kernel dropped them, and they are in the loss\n", kind, dropped)
	}
	if failed > 0 {
		fmt.Printf("%s: %.0f packets are not what was sent: %v\n", kind, failed, why)
	}
	if repeats > 0 {
		fmt.Printf("%s: %.0f packets came again, as was asked\n", kind, repeats)
	}
}

func middle(list []outcome) outcome {
	median := func(of func(outcome) float64) float64 {
		var v []float64
		for _, r := range list {
			v = append(v, of(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return outcome{
		cpu:         median(func(o outcome) float64 { return o.cpu }),
		busy:        median(func(o outcome) float64 { return o.busy }),
		allocs:      median(func(o outcome) float64 { return o.allocs }),
		loss:        median(func(o outcome) float64 { return o.loss }),
		p50:         median(func(o outcome) float64 { return o.p50 }),
		p99:         median(func(o outcome) float64 { return o.p99 }),
		packetsRate: median(func(o outcome) float64 { return o.packetsRate }),
		beside:      median(func(o outcome) float64 { return o.beside }),
		besideLoad:  median(func(o outcome) float64 { return o.besideLoad }),
		load:        median(func(o outcome) float64 { return o.load }),
		late:        median(func(o outcome) float64 { return o.late }),
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
