package sfu

import (
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/native"
)

// ErrClosed is returned by what has been closed.
var ErrClosed = errors.New("sfu: closed")

// maxLanes is how many goroutines send at most: what several sockets and a network card take.
const maxLanes = 16

// Engine owns the sockets that media arrives on.
type Engine struct {
	// Set at construction, never changed.
	config Config
	host   link.Host
	log    *slog.Logger

	lanes []*lane
	rooms atomic.Uint64 // routers so far

	counters counters
	batches  chan *batch    // that nobody uses
	sources  atomic.Uint64  // last forward.SourceID given out
	running  sync.WaitGroup // all transports, until their end; added to under mu

	mu      sync.Mutex
	routers map[*Router]struct{} // guarded by mu; nil once closed
}

// New opens the sockets of cfg. An address in use or not ours is an error that names it.
func New(cfg Config, log *slog.Logger, options ...Option) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	public, err := cfg.public()
	if err != nil {
		return nil, err
	}
	var more extras
	for _, o := range options {
		o(&more)
	}
	lower := native.Config{
		UDP: cfg.UDP, TCP: cfg.TCP, Public: public, Shared: more.tcp, Slots: cfg.MaxSlots, Bytes: cfg.MaxSDPBytes,
		Orientation: cfg.VideoOrientation, Bandwidth: uint64(cfg.MaxREMB),
		ICE: native.ICE(cfg.ICE), STUN: cfg.STUN,
	}
	cfg.transport(&lower)
	host, err := native.Open(lower)
	if err != nil {
		return nil, err
	}
	return &Engine{
		config: cfg, host: host, log: log, routers: make(map[*Router]struct{}),
		lanes:   newLanes(min(runtime.GOMAXPROCS(0), maxLanes), cfg.LaneQueue, func() *link.Outlet { return new(link.Outlet) }),
		batches: make(chan *batch, spareBatches),
	}, nil
}

// Batching says what the sockets can do at once, as far as the kernel has it: "GRO+GSO+batch+reuseport".
func (e *Engine) Batching() string {
	batching, _ := e.host.Batching()
	return batching
}

// Advertised lists the addresses that answers contain as candidates, in order of preference, each with its protocol.
func (e *Engine) Advertised() []Advertised {
	var all []Advertised
	for _, a := range e.host.Advertised() {
		all = append(all, Advertised{Protocol: a.Protocol, Addr: a.Addr})
	}
	return all
}

// ICE is ICELite or ICEFull, and why.
func (e *Engine) ICE() (mode, because string) { return e.host.ICE() }

// Advertised is one address under which media can reach the engine.
type Advertised struct {
	Protocol string // "udp" or "tcp"
	Addr     netip.AddrPort
}

// NewRouter makes a room's media. The name is for logs. Transports of a router of a closed engine are refused.
func (e *Engine) NewRouter(name string) *Router {
	r := &Router{engine: e, log: e.log.With("room", name), home: int(e.rooms.Add(1) % uint64(len(e.lanes))), transports: make(map[*Transport]struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.routers == nil {
		r.transports = nil
		return r
	}
	e.routers[r] = struct{}{}
	return r
}

// Stats are counters since the start, safe to read at any time.
func (e *Engine) Stats() Stats {
	s := e.counters.stats()
	_, gso := e.host.Batching()
	s.GSOSockets = int64(gso)
	e.host.Dropped(s.Dropped)
	return s
}

// Close closes every router and socket and waits for their goroutines. It may be called twice. It must not be called from
// within an event.
func (e *Engine) Close() error {
	e.mu.Lock()
	routers := e.routers
	e.routers = nil
	e.mu.Unlock()
	for r := range routers {
		r.Close()
	}
	e.running.Wait()
	err := e.host.Close()
	for _, l := range e.lanes {
		l.Close()
	}
	return err
}

// expect counts a transport among those whose end Close waits for, unless the engine is closed.
func (e *Engine) expect() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.routers != nil {
		e.running.Add(1)
	}
	return e.routers != nil
}

func (e *Engine) forget(r *Router) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.routers, r)
}
