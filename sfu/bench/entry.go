//go:build linux

package main

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// joins measures how long it takes from joining to the first packet, with a publisher that sends all the time.
func joins() error {
	fmt.Printf("joins: from the offer to the first media packet\n%-10s %14s %9s %9s %18s\n", "", "", "p50 ms", "p95 ms", "CPU per join, ms")
	for _, kind := range []string{kindNaive, kindTurnout} {
		for _, j := range []struct {
			name  string
			count int
			pause time.Duration
		}{{"alone", 20, 150 * time.Millisecond}, {"50 in a second", 50, 20 * time.Millisecond}} {
			times, cpu, err := joinTimes(kind, j.count, j.pause)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", kind, j.name, err)
			}
			slices.Sort(times)
			ms := func(q float64) float64 { return times[int(q*float64(len(times)-1))].Seconds() * 1000 }
			fmt.Printf("%-10s %14s %9.1f %9.1f %18.2f\n", kind, j.name, ms(0.5), ms(0.95), cpu.Seconds()*1000)
		}
	}
	fmt.Println()
	return nil
}

// joinTimes brings in count participants, one each pause. cpu is for each of them, without what forwarding to them takes.
func joinTimes(kind string, count int, pause time.Duration) (times []time.Duration, cpu time.Duration, err error) {
	c, err := newCast(kind, 0)
	if err != nil {
		return nil, 0, err
	}
	defer c.close()
	if err := c.gather(scene{publishers: 1, feed: camera}, 0); err != nil {
		return nil, 0, err
	}
	time.Sleep(warm)
	before, err := c.server.usage(false)
	if err != nil {
		return nil, 0, err
	}
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			took, err := c.firstPacket(fmt.Sprintf("joining%d", i))
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took)
			if err != nil {
				failed = err
			}
		})
		time.Sleep(pause)
	}
	all.Wait()
	if failed != nil {
		return nil, 0, failed
	}
	after, err := c.server.usage(false)
	if err != nil {
		return nil, 0, err
	}
	var forwarded uint64
	for _, one := range c.clients {
		forwarded += one.received.window().packets
	}
	steady, err := c.measure(time.Second)
	if err != nil {
		return nil, 0, err
	}
	spent := float64(after.CPU-before.CPU) - steady.cpu*float64(forwarded)
	return times, time.Duration(spent/float64(count)) * time.Microsecond, nil
}

func (c *cast) firstPacket(id string) (time.Duration, error) {
	began := time.Now()
	one, err := c.enter(join{ID: id, Watch: []string{"publisher0"}}, true)
	if err != nil {
		return 0, err
	}
	for time.Since(began) < patience {
		if at := one.received.firstAt(); !at.IsZero() {
			return at.Sub(began), nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, fmt.Errorf("%s received nothing", id)
}

// memory measures what participants take.
func memory() error {
	fmt.Printf("memory\n%-10s %-36s %14s %14s\n", "", "", "KiB each", "idle µs/s each")
	for _, kind := range []string{kindNaive, kindTurnout} {
		for _, m := range []struct {
			name   string
			count  int
			active bool
		}{{"idle, audio and video slots, no data", 300, false}, {"watching audio and video", 100, true}} {
			each, idle, err := weigh(kind, m.count, m.active)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", kind, m.name, err)
			}
			fmt.Printf("%-10s %-36s %14.1f %14s\n", kind, m.name, each, idle)
		}
	}
	fmt.Println()
	return nil
}

// weigh brings in count participants behind ten that are not counted: the first take what all share.
func weigh(kind string, count int, active bool) (each float64, idle string, err error) {
	c, err := newCast(kind, 0)
	if err != nil {
		return 0, "", err
	}
	defer c.close()
	s := scene{publishers: 1, subscribers: 10, feed: camera}
	if !active {
		s.feed = feed{}
	}
	if err := c.settle(s); err != nil {
		return 0, "", err
	}
	before, err := c.server.usage(true)
	if err != nil {
		return 0, "", err
	}
	for i := range count {
		if _, err := c.enter(join{ID: fmt.Sprintf("more%d", i), Watch: []string{"publisher0"}}, false); err != nil {
			return 0, "", err
		}
	}
	time.Sleep(5 * time.Second) // what the handshakes needed is given back
	after, err := c.server.usage(true)
	if err != nil {
		return 0, "", err
	}
	idle = "–"
	if !active {
		const watched = 5 * time.Second
		time.Sleep(watched)
		later, err := c.server.usage(false)
		if err != nil {
			return 0, "", err
		}
		idle = fmt.Sprintf("%.1f", float64(later.CPU-after.CPU)/watched.Seconds()/float64(count+11))
	}
	return float64(after.RSS-before.RSS) / float64(count), idle, nil
}

// settle is gather with a publisher that may be silent.
func (c *cast) settle(s scene) error {
	if _, err := c.enter(join{ID: "publisher0", Audio: true, Video: true}, false); err != nil {
		return err
	}
	for i := range s.subscribers {
		if _, err := c.enter(join{ID: fmt.Sprintf("subscriber%d", i), Watch: []string{"publisher0"}}, false); err != nil {
			return err
		}
	}
	if s.feed.audio > 0 {
		c.publish(c.clients[0], s.feed)
	}
	time.Sleep(warm)
	return nil
}
