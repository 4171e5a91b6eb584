//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
)

// scene is who publishes what to whom.
type scene struct {
	name        string
	publishers  int // each receives the others when there are several
	subscribers int
	feed        feed
}

// outcome of one run of a scene.
type outcome struct {
	cpu         float64 // µs of the server for each packet that reached a subscriber
	busy        float64 // share of one processor the server used
	allocs      float64 // for each packet
	loss        float64 // per cent
	p50, p99    float64 // ms from the publisher's send to the subscriber's receipt
	packetsRate float64 // delivered a second
}

// cast is the clients of a scene on a server.
type cast struct {
	server      *process
	certificate tls.Certificate

	mu         sync.Mutex
	clients    []*client // guarded by mu
	publishers []*publisher
	sinks      []*sink // of the floor
}

func newCast(kind string) (*cast, error) {
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, err
	}
	server, err := start(kind)
	if err != nil {
		return nil, err
	}
	return &cast{server: server, certificate: certificate}, pin(server.cmd.Process.Pid, serverCPU)
}

func (c *cast) close() {
	for _, p := range c.publishers {
		p.close()
	}
	for _, one := range c.clients {
		one.close()
	}
	for _, s := range c.sinks {
		s.close()
	}
	c.server.stop()
}

// enter brings in a participant and returns when it is connected.
func (c *cast) enter(j join) (*client, error) {
	one, err := newClient(c.certificate)
	if err != nil {
		return nil, err
	}
	j.SDP = one.offer(j.Audio, j.Video, len(j.Watch))
	answer, err := c.server.join(j)
	if err != nil {
		return nil, err
	}
	if err := one.connect(answer); err != nil {
		return nil, fmt.Errorf("%s: %w", j.ID, err)
	}
	c.mu.Lock()
	c.clients = append(c.clients, one)
	c.mu.Unlock()
	return one, nil
}

// publish has a client send.
func (c *cast) publish(one *client, f feed) {
	p := newPublisher(f, one.send)
	one.mu.Lock()
	one.on = func() { p.key.Store(true) }
	one.mu.Unlock()
	c.publishers = append(c.publishers, p)
}

// gather sets a scene up.
func (c *cast) gather(s scene) error {
	name := func(i int) string { return fmt.Sprintf("publisher%d", i) }
	for i := range s.publishers {
		j := join{ID: name(i), Audio: s.feed.audio > 0, Video: s.feed.frame > 0}
		for other := range s.publishers {
			if other != i {
				j.Watch = append(j.Watch, name(other))
			}
		}
		if _, err := c.enter(j); err != nil {
			return err
		}
	}
	for i := range s.subscribers {
		if _, err := c.enter(join{ID: fmt.Sprintf("subscriber%d", i), Watch: []string{name(0)}}); err != nil {
			return err
		}
	}
	for _, one := range c.clients[:s.publishers] {
		c.publish(one, s.feed)
	}
	return nil
}

// gatherSinks sets the same up for the floor.
func (c *cast) gatherSinks(s scene) error {
	server, err := netip.ParseAddrPort(c.server.listen)
	if err != nil {
		return err
	}
	for range s.subscribers {
		k, err := newSink(server)
		if err != nil {
			return err
		}
		c.sinks = append(c.sinks, k)
	}
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return err
	}
	c.publishers = append(c.publishers, newPublisher(s.feed, func(packets [][]byte) error {
		for _, p := range packets {
			if _, err := conn.Write(p); err != nil {
				return err
			}
		}
		return nil
	}))
	return nil
}

// warm is how long a scene runs before it is measured.
const warm = 700 * time.Millisecond

// run plays a scene on a fresh server and measures it.
func (s scene) run(kind string, window time.Duration) (outcome, error) {
	c, err := newCast(kind)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	if kind == kindFloor {
		err = c.gatherSinks(s)
	} else {
		err = c.gather(s)
	}
	if err != nil {
		return outcome{}, err
	}
	time.Sleep(warm)
	return c.measure(window)
}

func (c *cast) measure(window time.Duration) (outcome, error) {
	before, err := c.server.usage(false)
	if err != nil {
		return outcome{}, err
	}
	for _, one := range c.clients {
		one.received.reset()
	}
	for _, k := range c.sinks {
		k.packets.Store(0)
	}
	began := time.Now()
	time.Sleep(window)
	var packets, lost uint64
	var times []time.Duration
	for _, one := range c.clients {
		n, l, t := one.received.window()
		packets, lost, times = packets+n, lost+l, append(times, t...)
	}
	for _, k := range c.sinks {
		packets += k.packets.Load()
	}
	took := time.Since(began)
	after, err := c.server.usage(false)
	if err != nil {
		return outcome{}, err
	}
	if packets == 0 {
		return outcome{}, fmt.Errorf("nothing arrived")
	}
	slices.Sort(times)
	ms := func(q float64) float64 {
		if len(times) == 0 {
			return 0
		}
		return times[int(q*float64(len(times)-1))].Seconds() * 1000
	}
	used := float64(after.CPU - before.CPU)
	return outcome{
		cpu: used / float64(packets), busy: used / float64(took.Microseconds()), allocs: float64(after.Mallocs-before.Mallocs) / float64(packets),
		loss: 100 * float64(lost) / float64(packets+lost), p50: ms(0.5), p99: ms(0.99), packetsRate: float64(packets) / took.Seconds(),
	}, nil
}
