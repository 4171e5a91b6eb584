package netio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Socket is one UDP socket. Serve and Read are for one goroutine; everything else may be called from any.
type Socket struct {
	// Set at construction, never changed.
	conn    *net.UDPConn
	addr    netip.AddrPort
	cfg     Config
	caps    Capabilities
	rx      receiver
	count   *counters
	rc      syscall.RawConn // for datagrams that are sent at once; nil where they are not
	singles chan *single    // what such datagrams need, used again
	waits   sync.Mutex      // held by whoever sets the write deadline and waits on it

	// Owned by the reader.
	in        []message
	got, next int // messages received; the one to hand out next
	off       int // bytes of it that have been handed out
	pack      *Packer

	gso atomic.Bool // GSO is in use; turned off for good when the kernel or the device refuses it
}

// message is what one receive gave: one datagram, or a run of them from one address (GRO), each of seg bytes but the last.
type message struct {
	buf       []byte // Set at construction, never changed.
	n, seg    int
	truncated bool
	from      netip.AddrPort
}

// receiver is a system's way to receive; sender is its way to send. Both wait on the runtime poller.
type receiver interface {
	// receive waits for datagrams and says how many of in it has filled.
	receive(in []message) (int, error)
	// serve calls got for every so many of in that it has filled, until an error.
	serve(in []message, got func(n int)) error
}

type sender interface {
	// send sends the bursts, which lie in arena. What cannot be sent is counted. The error is net.ErrClosed or nil.
	send(arena []byte, bursts []burst) error
}

// Open opens cfg.Sockets sockets on one address. Where the system has no SO_REUSEPORT it opens one.
func Open(cfg Config) ([]*Socket, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	n := cfg.Sockets
	if !hasReusePort {
		n = 1
	}
	var all []*Socket
	for range n {
		s, err := open(cfg)
		if err != nil {
			for _, s := range all {
				_ = s.Close()
			}
			return nil, err
		}
		cfg.Addr = s.addr
		all = append(all, s)
	}
	return all, nil
}

func open(cfg Config) (*Socket, error) {
	network := "udp4"
	if cfg.Addr.Addr().Is6() {
		network = "udp6" // and only IPv6: an IPv4 address in IPv6 clothes would be a second name for one peer
	}
	pc, err := (&net.ListenConfig{Control: reusePort}).ListenPacket(context.Background(), network, cfg.Addr.String())
	if err != nil {
		return nil, fmt.Errorf("netio: listen on UDP %s: %w", cfg.Addr, err)
	}
	conn := pc.(*net.UDPConn)
	s := &Socket{conn: conn, addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), cfg: cfg, count: new(counters)}
	s.pack = NewPacker()
	if err := s.setUp(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("netio: set up UDP %s: %w", cfg.Addr, err)
	}
	s.gso.Store(s.caps.GSO)
	return s, nil
}

// Read waits until there are packets and fills out with as many as have come, up to its length. The caller releases each.
// The error is net.ErrClosed after Close.
func (s *Socket) Read(out []Packet) (int, error) {
	for {
		if n := s.handOut(out); n > 0 {
			return n, nil
		}
		got, err := s.rx.receive(s.in)
		if err != nil {
			return 0, s.ended(err)
		}
		s.received(got)
	}
}

// Serve has take handle what arrives, which is in the first n of out and take's to release, until Close. It costs a system call less
// than Read for each time that something arrives. Close waits for take. The error is net.ErrClosed after Close.
func (s *Socket) Serve(out []Packet, take func(n int)) error {
	return s.ended(s.rx.serve(s.in, func(got int) {
		s.received(got)
		for n := s.handOut(out); n > 0; n = s.handOut(out) {
			take(n)
		}
	}))
}

func (s *Socket) received(messages int) {
	s.count.receives.Add(1)
	s.got, s.next, s.off = messages, 0, 0
}

// ended is the reason for the end of reading.
func (s *Socket) ended(err error) error {
	s.pack.drop()
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return fmt.Errorf("netio: receive on %s: %w", s.addr, err)
}

// handOut cuts what was received into packets.
func (s *Socket) handOut(out []Packet) int {
	n, bytes := 0, 0
	for n < len(out) && s.next < s.got {
		m := &s.in[s.next]
		if s.off >= m.n || m.truncated || m.seg > MaxDatagram {
			if m.truncated || m.seg > MaxDatagram {
				s.count.oversize.Add(1)
			}
			s.next, s.off = s.next+1, 0
			continue
		}
		end := min(s.off+m.seg, m.n)
		out[n] = s.pack.Pack(m.buf[s.off:end], m.from)
		bytes += end - s.off
		s.off = end
		n++
	}
	s.count.packetsIn.Add(uint64(n))
	s.count.bytesIn.Add(uint64(bytes))
	return n
}

// Addr is the address the socket listens on.
func (s *Socket) Addr() netip.AddrPort { return s.addr }

// Capabilities says how the socket works.
func (s *Socket) Capabilities() Capabilities { return s.caps }

// WriteTo sends one datagram at once, for those that come one at a time (STUN, DTLS). It may be called from any goroutine
// and waits about WriteWait at most.
func (s *Socket) WriteTo(b []byte, to netip.AddrPort) error {
	if s.writeNow(b, to) {
		return nil
	}
	s.waits.Lock()
	defer s.waits.Unlock()
	d := s.newDeadline()
	return d.write(b, to)
}

// Close closes the socket; a waiting Read returns. It may be called twice.
func (s *Socket) Close() error {
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// portableSetUp makes the socket work one datagram at a time.
func (s *Socket) portableSetUp(why string) {
	s.caps = Capabilities{Notes: []string{why}}
	s.in = newMessages(1, MaxDatagram+1)
	s.rx = portableReceiver{s.conn}
}

// newMessages makes n receive buffers of size bytes. Each starts at another place within its page: equal places would
// compete for the same few lines of the processor's cache.
func newMessages(n, size int) []message {
	const skew = 64 * 5
	in := make([]message, n)
	stride := size + skew
	all := make([]byte, n*stride)
	for i := range in {
		in[i].buf = all[i*stride:][:size:size]
	}
	return in
}

func (c Config) waitUntil() time.Time { return time.Now().Add(c.WriteWait) }
