// Package native is a transport on sfu/lite with SRTP, RTP and RTCP of our own: packets are decrypted where they arrived,
// encrypted into the send buffer, and leave many to a system call.
//
// Its nouns are those of link: a Host makes Peers, which have Senders and Tracks. What lite does not handle itself comes to
// Host.media, on the goroutine of the socket it arrived on, and is carried to its last receiver by that goroutine.
package native

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// Slabs of video: small ones, for each layer fills one of its own, so that what a ring holds is what it keeps and little more.
const (
	slabSize  = 16 << 10
	slabsKept = 512 // 8 MiB wait for reuse at most
)

// maxSockets is how many sockets share a port at most, one for each processor that may run.
const maxSockets = 8

// sparePorters is how many porters wait for work. There are as many in use as there are sockets and TCP connections that
// receive at the same moment.
const sparePorters = 32

// ICE is which of both ends sends connectivity checks.
type ICE string

// Values of Config.ICE. Nothing is Auto.
const (
	Auto ICE = "auto" // Lite if clients can reach us, as far as our addresses tell, else Full
	Lite ICE = "lite" // the client
	Full ICE = "full" // both: for a server behind a NAT
)

// Config of a Host.
type Config struct {
	UDP    string           // host:port; no host or an unspecified one means all addresses of this machine
	TCP    string           // likewise, "" for no ICE over TCP
	Public []netip.Addr     // advertised instead of the local addresses; the ports must be fixed then
	Shared []netip.AddrPort // TCP addresses where somebody else listens and hands connections to AdoptTCP
	Slots  int              // of one peer at most
	Bytes  int              // of an offer at most
	ICE    ICE
	Net    netio.Config // of the UDP sockets; Addr is not used, no Sockets is one per processor
	Limits lite.Limits
	Paths  demux.Limits
	STUN   []string // servers, as host or host:port, that tell Full its public addresses

	Orientation bool   // publishers may leave it to the receivers to turn pictures
	Bandwidth   uint64 // bits per second that a publisher without transport-wide feedback is told to send at most
}

var _ link.Host = (*Host)(nil)

// Host owns the sockets that all peers share.
type Host struct {
	// Set at construction, never changed.
	server  *lite.Server
	ice     ICE
	because string // it is ice
	porters chan *porter
	slabs   *netio.Pool   // of what publishers send and subscribers may ask for again
	closing chan struct{} // closed by Close
	ticked  chan struct{} // closed when tick has ended
	count   counters
	end     func() // closes closing, once

	bandwidth uint64 // bits per second, see Config

	mu    sync.RWMutex
	peers map[*lite.Transport]*Peer // guarded by mu
}

// Open opens the sockets. An address in use or not ours is an error that names it.
func Open(c Config) (*Host, error) {
	h := &Host{
		porters: make(chan *porter, sparePorters), slabs: netio.NewPool(slabSize, slabsKept), peers: make(map[*lite.Transport]*Peer),
		closing: make(chan struct{}), ticked: make(chan struct{}), bandwidth: c.Bandwidth,
	}
	h.end = sync.OnceFunc(func() { close(h.closing) })
	cfg := lite.Config{
		Net:    c.Net,
		Limits: c.Limits,
		Paths:  c.Paths,
		Offer:  answer.Limits{Slots: c.Slots, Bytes: c.Bytes, Media: 2*c.Slots + 100},
		Policy: policy(c),
		Media:  h.media,
	}
	if cfg.Net.Sockets == 0 {
		cfg.Net.Sockets = min(runtime.GOMAXPROCS(0), maxSockets)
	}
	for _, a := range []struct {
		protocol, address string
		listen            *[]netip.AddrPort
	}{{"udp", c.UDP, &cfg.UDP}, {"tcp", c.TCP, &cfg.TCP}} {
		if a.address == "" {
			continue
		}
		addr, err := listenAddress(a.protocol, a.address)
		if err != nil {
			return nil, err
		}
		if len(c.Public) > 0 && addr.Port() == 0 {
			return nil, fmt.Errorf("media: address %q: give a port, for it is advertised with the public addresses", a.address)
		}
		*a.listen = []netip.AddrPort{addr}
		for _, public := range c.Public {
			cfg.Advertise = append(cfg.Advertise, answer.Candidate{Protocol: a.protocol, Addr: netip.AddrPortFrom(public, addr.Port())})
		}
	}
	cfg.Shared = c.Shared
	for _, shared := range c.Shared {
		for _, public := range c.Public {
			cfg.Advertise = append(cfg.Advertise, answer.Candidate{Protocol: "tcp", Addr: netip.AddrPortFrom(public, shared.Port())})
		}
	}
	own, err := lite.Addresses(cfg.UDP)
	if err != nil {
		return nil, err
	}
	h.ice, h.because = choose(c, own)
	cfg.Full, cfg.STUN = h.ice == Full, c.STUN
	server, err := lite.Open(cfg)
	if err != nil {
		return nil, err
	}
	h.mu.Lock() // readers are running already
	h.server = server
	h.mu.Unlock()
	go h.tick() // Close waits for it
	return h, nil
}

func listenAddress(protocol, address string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("media: %w", err)
	}
	port, err := net.LookupPort(protocol, service)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("media: address %q: %w", address, err)
	}
	addr := netip.IPv6Unspecified()
	if host != "" {
		if addr, err = netip.ParseAddr(host); err != nil {
			return netip.AddrPort{}, fmt.Errorf("media: address %q: the host must be an IP address", address)
		}
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// Advertised lists the addresses that answers contain, best first.
func (h *Host) Advertised() []link.Address {
	var all []link.Address
	for _, a := range h.server.Advertised() {
		all = append(all, link.Address{Protocol: a.Protocol, Addr: a.Addr})
	}
	return all
}

// ICE is "lite" or "full", and why.
func (h *Host) ICE() (mode, because string) { return string(h.ice), h.because }

// Foreign has adopt take what arrives on the UDP sockets for a STUN and TURN server, each socket's as a connection of its own.
func (h *Host) Foreign(adopt func(net.PacketConn) error) error {
	return h.server.Foreign(func(f *lite.Foreign) error { return adopt(f) })
}

// AdoptTCP serves an ICE-TCP connection that somebody else has accepted. It owns c, also when it returns an error.
func (h *Host) AdoptTCP(c net.Conn) error { return h.server.AdoptTCP(c) }

// Close closes the sockets. It may be called twice. Peers must be closed before.
func (h *Host) Close() error {
	h.end()
	<-h.ticked
	return h.server.Close()
}

// NewPeer makes a peer that has not negotiated yet.
func (h *Host) NewPeer(on link.Handlers) (link.Peer, error) {
	p := newPeer(h, on)
	t, err := h.server.NewTransport(p.event)
	if err != nil {
		return nil, err
	}
	p.transport, p.wire, p.cname = t, t, t.CNAME()
	p.due.bandwidth.Ceiling = h.bandwidth
	h.mu.Lock()
	h.peers[t] = p
	h.mu.Unlock()
	return p, nil
}

func (h *Host) find(t *lite.Transport) *Peer {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.peers[t]
}

func (h *Host) forget(t *lite.Transport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.peers, t)
}

// porter is what one goroutine works with while it carries packets to their receivers.
type porter struct {
	link.Outlet
	run   []link.Packet // of track, not handed over yet; their memory is held
	track *Track

	// Used again.
	seqs    []uint16          // of one NACK
	results []delivery.Result // of one compound packet
}

// take returns a porter that nobody else has.
func (h *Host) take(now time.Time) *porter {
	var w *porter
	select {
	case w = <-h.porters:
	default:
		w = &porter{}
	}
	w.Now = now
	return w
}

// give sends what w has collected and lets others have it.
func (h *Host) give(w *porter) {
	w.Flush()
	select {
	case h.porters <- w:
	default:
	}
}

// media takes SRTP and SRTCP from lite.
func (h *Host) media(batch []lite.Received) {
	now := time.Now()
	w := h.take(now)
	var from *lite.Transport
	var peer *Peer
	for i := range batch {
		r := &batch[i]
		if r.From != from {
			w.handOver()
			if peer != nil {
				peer.feedback(now, w)
			}
			from, peer = r.From, h.find(r.From)
		}
		if peer != nil {
			peer.receive(now, r, w)
		}
	}
	w.handOver()
	if peer != nil {
		peer.feedback(now, w)
	}
	h.give(w)
	for i := range batch {
		batch[i].Packet.Release()
	}
}

// add puts a packet of t behind the others of its run, and owns what holds its memory.
func (w *porter) add(t *Track, p link.Packet) {
	if w.track != t {
		w.handOver()
		w.track = t
	}
	w.run = append(w.run, p)
}

// handOver gives the run to the sink of its track.
func (w *porter) handOver() {
	if w.track != nil && len(w.run) > 0 {
		w.track.handOver(w.Now, w.run, &w.Outlet)
	}
	for i := range w.run {
		w.run[i].Memory.Release()
	}
	clear(w.run)
	w.track, w.run = nil, w.run[:0]
}
