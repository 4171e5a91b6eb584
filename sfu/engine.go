package sfu

import (
	"log/slog"
	"net/netip"
)

// Engine owns the sockets that media arrives on.
type Engine struct{}

// New opens the sockets of cfg. An address in use or not ours is an error that names it.
func New(cfg Config, log *slog.Logger) (*Engine, error) { panic("not built") }

// Advertised lists the addresses that answers contain as candidates, in order of preference, each with its protocol.
func (e *Engine) Advertised() []Advertised { panic("not built") }

// Advertised is one address under which media can reach the engine.
type Advertised struct {
	Protocol string // "udp" or "tcp"
	Addr     netip.AddrPort
}

// NewRouter makes a room's media. The name is for logs.
func (e *Engine) NewRouter(name string) *Router { panic("not built") }

// Stats are counters since the start, safe to read at any time.
func (e *Engine) Stats() Stats { panic("not built") }

// Close closes every router and socket and waits for their goroutines. It may be called twice.
func (e *Engine) Close() error { panic("not built") }

// Router is one room's media.
type Router struct{}

// NewTransport makes a participant's transport. The name is for logs. emit is called from the transport's goroutine, in
// order, and may block it; it must not wait for a call into the same transport.
func (r *Router) NewTransport(name string, emit func(Event)) (*Transport, error) { panic("not built") }

// Close closes the router's transports. It may be called twice.
func (r *Router) Close() { panic("not built") }

// Stats of an engine.
type Stats struct {
	Transports   int64 // now
	Publications int64 // now
	Subscribed   int64 // slots that show something, now

	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64            // RTP payload and header, without SRTP tag
	Retransmitted         uint64            // RTX packets sent
	NACKs, PLIs           uint64            // received from subscribers
	KeyFrameRequests      uint64            // sent to publishers
	Dropped               map[string]uint64 // by reason, a fixed small set
}
