package lite

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
)

const (
	// resolveEvery is how often names of STUN servers are looked up again: the machine may have moved to another network.
	resolveEvery = time.Minute
	// resolving is how long looking one up may take.
	resolving = 3 * time.Second
	// introduction is how long Open waits for STUN servers: the first answers are to contain what they say.
	introduction = 3 * time.Second
	defaultSTUN  = 3478 // RFC 8489 §18.6
)

// asking is what a Server does that is behind a NAT: one goroutine sends the checks of all transports, and asks STUN servers.
type asking struct {
	// Set at construction, never changed.
	server  *Server
	wake    chan struct{} // of capacity 1: there is something to look at
	again   chan struct{} // of capacity 1: addresses have changed
	settled chan struct{} // closed by end, when STUN servers have answered or it is no use to wait
	end     func()

	mu sync.Mutex
	// Guarded by mu.
	mapper *icefull.Mapper
	tags   map[uint32]*Transport // nil is the mapper
	asked  bool                  // the mapper knows the servers
	soon   map[*Transport]struct{}
}

func newAsking(s *Server) *asking {
	a := &asking{
		server: s, wake: make(chan struct{}, 1), again: make(chan struct{}, 1), settled: make(chan struct{}),
		tags: map[uint32]*Transport{}, soon: map[*Transport]struct{}{},
	}
	a.end = sync.OnceFunc(func() { close(a.settled) })
	a.mapper = icefull.NewMapper(a.tag(nil))
	return a
}

// tag gives t a tag that nobody has.
func (a *asking) tag(t *Transport) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		var b [4]byte
		_, _ = rand.Read(b[:])
		tag := binary.BigEndian.Uint32(b[:])
		if _, taken := a.tags[tag]; !taken {
			a.tags[tag] = t
			return tag
		}
	}
}

// forget is the end of a transport.
func (a *asking) forget(t *Transport) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.soon, t)
	delete(a.tags, t.tag)
}

// hurry has the checks of t looked at before its next tick.
func (a *asking) hurry(t *Transport) {
	a.mu.Lock()
	a.soon[t] = struct{}{}
	a.mu.Unlock()
	a.look()
}

// moved says that we have other addresses.
func (a *asking) moved() {
	select {
	case a.again <- struct{}{}:
	default:
	}
}

func (a *asking) look() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run is the goroutine that sends checks.
func (a *asking) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var scratch icefull.Scratch
	var due []*Transport
	for {
		select {
		case <-a.server.done:
			return
		case <-a.wake:
		case <-timer.C:
		}
		now := time.Now()
		wait := a.introduce(now, &scratch)
		due = a.take(due[:0])
		for _, t := range due {
			if t.ask(now, &scratch) {
				a.put(t)
				wait = min(wait, icefull.Pace)
			}
		}
		clear(due)
		timer.Reset(wait)
	}
}

// introduce asks STUN servers what is due, and returns how long there is time.
func (a *asking) introduce(now time.Time, scratch *icefull.Scratch) time.Duration {
	a.mu.Lock()
	c, ok := a.mapper.Poll(now, scratch)
	next, more := a.mapper.Next()
	a.settle() // also when nobody answers
	a.mu.Unlock()
	if ok {
		a.server.sendFrom(c.Path, c.Raw)
	}
	if !more {
		return time.Hour
	}
	return next.Sub(now)
}

// take appends the transports to look at to due. They are put back one by one.
func (a *asking) take(due []*Transport) []*Transport {
	a.mu.Lock()
	defer a.mu.Unlock()
	for t := range a.soon {
		due = append(due, t)
	}
	clear(a.soon)
	return due
}

func (a *asking) put(t *Transport) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tags[t.tag] == t { // not forgotten meanwhile
		a.soon[t] = struct{}{}
	}
}

// answered takes an answer to a check, or of a STUN server.
func (a *asking) answered(from demux.Path, raw []byte, scratch *icefull.Scratch) {
	now := time.Now()
	a.mu.Lock()
	t, known := a.tags[icefull.Tag(raw)]
	if known && t == nil {
		a.mapper.Answered(now, a.server.basePath(from), raw, scratch)
		a.settle()
	}
	a.mu.Unlock()
	switch {
	case t != nil:
		t.answered(now, from, raw, scratch)
	case !known:
		a.server.count.badCheck.Add(1)
	}
}

// settle says so when there is nothing to wait for. mu is held.
func (a *asking) settle() {
	if a.asked && a.mapper.Settled() {
		a.end()
	}
}

// mappings are how NATs show us.
func (a *asking) mappings() []icefull.Mapping {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mapper.Mappings()
}

// survey is the goroutine that looks up STUN servers.
func (a *asking) survey(ctx context.Context) {
	regularly := time.NewTicker(resolveEvery)
	defer regularly.Stop()
	for {
		var servers []netip.AddrPort
		for _, s := range a.server.cfg.STUN {
			servers = append(servers, resolve(ctx, s)...)
		}
		from := bases(a.server.all())
		a.mu.Lock()
		a.mapper.Ask(time.Now(), from, servers)
		a.asked = true
		a.settle()
		a.mu.Unlock()
		a.look()
		select {
		case <-ctx.Done():
			return
		case <-regularly.C:
		case <-a.again:
		}
	}
}

// resolve looks up a STUN server. One that is not found now may be the next time.
func resolve(ctx context.Context, server string) []netip.AddrPort {
	host, port := splitSTUN(server)
	ctx, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	var all []netip.AddrPort
	four, six := false, false
	for _, ip := range found { // one of each family
		ip = ip.Unmap()
		if ip.Is4() && !four || ip.Is6() && !six {
			all = append(all, netip.AddrPortFrom(ip, port))
		}
		four, six = four || ip.Is4(), six || ip.Is6()
	}
	return all
}

// splitSTUN takes a STUN server apart.
func splitSTUN(server string) (host string, port uint16) {
	host, service, err := net.SplitHostPort(server)
	if err != nil {
		return strings.Trim(server, "[]"), defaultSTUN
	}
	n, _ := strconv.ParseUint(service, 10, 16)
	return host, uint16(n)
}
