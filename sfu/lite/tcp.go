package lite

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/lite/icetcp"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

const (
	// firstStream is the socket number of the first TCP connection's path; UDP sockets have smaller ones.
	firstStream = 1 << 16
	// longestFrame over TCP: peers keep to the size of a UDP datagram, as they do not know which one is used.
	longestFrame = 2048
	// streamSilence is how long a connection lives without a check: consent has expired by then.
	streamSilence = 30 * time.Second
	acceptPause   = 50 * time.Millisecond // when there are no file descriptors left
)

// stream is one TCP connection.
type stream struct {
	conn   *icetcp.Conn
	number int // of its path
}

// streamLimits knows all TCP connections.
type streamLimits struct {
	limits Limits // set at construction, never changed

	mu sync.Mutex
	// Guarded by mu.
	all     map[*stream]bool // true: authenticated
	strange int
	next    int
	closed  bool
	pack    *netio.Packer // of all connections: there are few, and a slab for each would be much
}

func (l *streamLimits) init(limits Limits) {
	l.limits, l.all, l.next, l.pack = limits, map[*stream]bool{}, firstStream, netio.NewPacker()
}

// add takes over c, or says that there are too many.
func (l *streamLimits) add(c net.Conn, s *Server) (*stream, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.all) >= l.limits.TCPConns || l.strange >= l.limits.TCPStrange {
		return nil, false
	}
	st := &stream{conn: icetcp.NewConn(c, l.limits.TCPBuffer, &s.count.tcpFull), number: l.next}
	l.next++
	l.strange++
	l.all[st] = false
	return st, true
}

func (l *streamLimits) authenticated(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.all[s]; ok && !known {
		l.all[s] = true
		l.strange--
	}
}

func (l *streamLimits) remove(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.all[s] {
		l.strange--
	}
	delete(l.all, s)
}

func (l *streamLimits) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func (l *streamLimits) packet(b []byte, from *icetcp.Conn) netio.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pack.Pack(b, from.Remote())
}

func (l *streamLimits) closeAll() {
	l.mu.Lock()
	l.closed = true
	var all []*stream
	for s := range l.all {
		all = append(all, s)
	}
	l.mu.Unlock()
	for _, s := range all {
		_ = s.conn.Close()
	}
}

// accept is the goroutine of a TCP listener.
func (s *Server) accept(l *net.TCPListener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-s.done:
				return
			case <-time.After(acceptPause):
				continue
			}
		}
		_ = s.AdoptTCP(c) // counted
	}
}

// ErrTCPLimit says that there are too many TCP connections.
var ErrTCPLimit = errors.New("lite: too many TCP connections")

// AdoptTCP serves an ICE-TCP connection (RFC 6544) that somebody else has accepted, on an address of Config.Shared: nothing of
// it may have been read that cannot be read from c again. Its remote address must be a *net.TCPAddr. The server owns c from
// now on, also when it returns an error. It returns at once.
func (s *Server) AdoptTCP(c net.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return ErrClosed
	}
	st, ok := s.streams.add(c, s)
	if !ok {
		s.count.tcpLimit.Add(1)
		_ = c.Close()
		return ErrTCPLimit
	}
	s.running.Go(func() { s.serveStream(st) })
	return nil
}

// serveStream is the goroutine of a TCP connection. Its first datagram must be an authentic check, and it belongs to that
// check's transport for good.
func (s *Server) serveStream(st *stream) {
	from := demux.Path{Socket: st.number, Remote: st.conn.Remote()}
	var owner *Transport
	defer func() {
		_ = st.conn.Close()
		s.streams.remove(st)
		if owner != nil {
			owner.lost(from)
		}
	}()
	r := streamReader{server: s, stream: st, from: from}
	buf, one := make([]byte, longestFrame), make([]Received, 1)
	_ = st.conn.SetReadDeadline(time.Now().Add(s.cfg.Limits.TCPIdle))
	for {
		n, err := st.conn.Read(buf)
		if err != nil {
			return
		}
		kind := demux.Classify(buf[:n])
		if kind == demux.STUN {
			t := r.stun(buf[:n], owner)
			if t == nil || owner != nil && t != owner {
				return
			}
			if owner == nil {
				owner = t
				s.streams.authenticated(st)
			}
			_ = st.conn.SetReadDeadline(time.Now().Add(streamSilence))
			continue
		}
		switch {
		case owner == nil:
			s.count.stranger.Add(1)
			return
		case kind == demux.DTLS:
			if c := owner.conn.Load(); c == nil {
				owner.control(time.Now(), s.streams.packet(buf[:n], st.conn))
			} else if c.receive(time.Now(), buf[:n]) {
				s.pump.mark(c)
			}
		case kind == demux.RTP || kind == demux.RTCP:
			one[0] = Received{From: owner, Kind: kind, Packet: s.streams.packet(buf[:n], st.conn)}
			s.cfg.Media(one)
		default:
			s.count.noise.Add(1)
		}
	}
}

// streamReader is what the goroutine of a TCP connection works with.
type streamReader struct {
	server  *Server
	stream  *stream
	from    demux.Path
	scratch icelite.Scratch
	asked   icefull.Scratch
}

// stun answers a check, or takes the answer to one of ours to the owner. It returns whose the message is, nil for nobody's.
func (r *streamReader) stun(raw []byte, owner *Transport) *Transport {
	purpose, ufrag := demux.PurposeOf(raw)
	switch {
	case purpose == demux.Check:
		t, reply := r.server.check(r.from, raw, ufrag, r.stream, &r.scratch)
		if t != nil {
			r.stream.conn.Send(reply)
		}
		return t
	case purpose == demux.Reply && owner != nil && r.server.asking != nil:
		owner.answered(time.Now(), r.from, raw, &r.asked)
		return owner
	}
	r.server.count.badCheck.Add(1)
	return nil
}
