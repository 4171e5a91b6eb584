//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
)

// cast is the clients of a scene on a server.
type cast struct {
	// Set at construction, never changed.
	server      *process
	join        func(join) (answer string, err error) // of the server
	certificate tls.Certificate
	loop        *loop
	sent        *sendings
	phases      *rand.Rand

	mu      sync.Mutex
	clients []*client // guarded by mu
	sinks   []*sink   // of the floor
	source  *socket   // of its publisher
}

// newCast starts a server. Of one round, all servers see the publishers send at the same phases.
func newCast(kind string, round int) (*cast, error) {
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, err
	}
	l, err := newLoop()
	if err != nil {
		return nil, err
	}
	server, err := start(kind)
	if err != nil {
		l.close()
		return nil, err
	}
	phases := rand.New(rand.NewPCG(uint64(round), 0))
	return &cast{server: server, join: server.join, certificate: certificate, loop: l, sent: new(sendings), phases: phases}, nil
}

func (c *cast) close() {
	c.leave()
	c.server.stop()
}

// leave ends the clients.
func (c *cast) leave() {
	c.loop.close()
	for _, one := range c.clients {
		one.close()
	}
	for _, k := range c.sinks {
		k.close()
	}
	if c.source != nil {
		c.source.close()
	}
}

// isFull says whether the subscriber number i is a full one: one of ten, and two where there are six.
func isFull(i int) bool { return i%10 == 0 || i == 5 }

// enter brings in a participant and returns when it is connected.
func (c *cast) enter(j join, full bool) (*client, error) {
	one, err := newClient(c.certificate, full, c.sent)
	if err != nil {
		return nil, err
	}
	j.SDP = one.offer(j.Audio, j.Video, len(j.Watch))
	answer, err := c.join(j)
	if err != nil {
		return nil, err
	}
	if err := one.connect(answer); err != nil {
		return nil, fmt.Errorf("%s: %w", j.ID, err)
	}
	c.mu.Lock()
	c.clients = append(c.clients, one)
	c.mu.Unlock()
	if !full {
		c.loop.listen <- one.listener()
	}
	return one, nil
}

// publish has a client send.
func (c *cast) publish(one *client, f feed) {
	p := &publisher{feed: f, phase: c.phases.Float64(), sent: c.sent, seal: one.protect.seal, send: one.transmit}
	one.source.Store(p)
	c.loop.publish <- p
}

// gather brings a room of a scene in.
func (c *cast) gather(s scene, room int) error {
	first := room * s.publishers
	name := func(i int) string { return fmt.Sprintf("publisher%d", first+i) }
	var publishing []*client
	for i := range s.publishers {
		j := join{ID: name(i), Audio: s.feed.audio > 0, Video: s.feed.frame > 0}
		for other := range s.publishers {
			if other != i {
				j.Watch = append(j.Watch, name(other))
			}
		}
		// Who only publishes has little to read, but is asked for key frames.
		one, err := c.enter(j, len(j.Watch) > 0 && isFull(first+i))
		if err != nil {
			return err
		}
		publishing = append(publishing, one)
	}
	for i := range s.subscribers {
		at := room*s.subscribers + i
		if _, err := c.enter(join{ID: fmt.Sprintf("subscriber%d", at), Watch: []string{name(0)}}, isFull(at)); err != nil {
			return err
		}
	}
	for _, one := range publishing {
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
	for i := range s.subscribers {
		k, err := newSink(server, isFull(i), c.sent)
		if err != nil {
			return err
		}
		c.sinks = append(c.sinks, k)
		if !k.full {
			c.loop.listen <- k.listener()
		}
	}
	if c.source, err = newSocket(); err != nil {
		return err
	}
	c.source.quiet()
	to := destination(server)
	send := func(b []byte) error { return c.source.send(b, to) }
	c.loop.publish <- &publisher{feed: s.feed, phase: c.phases.Float64(), sent: c.sent, seal: floorSeal, send: send}
	return nil
}

// received is what everybody counts, and drops what the kernel has dropped because they read too late.
func (c *cast) received() (all []*received, drops uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.clients {
		all, drops = append(all, &one.received), drops+one.socket.drops()
	}
	for _, k := range c.sinks {
		all, drops = append(all, &k.received), drops+k.socket.drops()
	}
	return all, drops
}
