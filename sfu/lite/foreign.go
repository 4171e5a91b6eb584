package lite

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/sfu/netio"
)

var _ net.PacketConn = (*Foreign)(nil)

// Foreign is what a UDP socket of media's has for a STUN and TURN server on the same port (RFC 7983): STUN that is no
// connectivity check, and ChannelData. What is written to it leaves from the address that clients know. Datagrams wait in a
// bounded queue; when it is full new ones are dropped and counted, as a kernel's buffer would. It has no deadlines. Its
// methods may be called from any goroutine.
type Foreign struct {
	// Set at construction, never changed.
	sock    *netio.Socket
	waiting chan netio.Packet
	dropped *atomic.Uint64
	done    chan struct{}
	end     func() // closes done, once
}

func newForeign(sock *netio.Socket, limit int, dropped *atomic.Uint64) *Foreign {
	f := &Foreign{sock: sock, waiting: make(chan netio.Packet, limit), dropped: dropped, done: make(chan struct{})}
	f.end = sync.OnceFunc(func() { close(f.done) })
	return f
}

// Foreign has adopt take the foreign datagrams of every UDP socket, also of those to come, each as a connection of its own. To
// be called once; until then, and of a socket that adopt has no use for or whose connection was closed, they are dropped.
func (s *Server) Foreign(adopt func(*Foreign) error) error {
	s.mu.Lock()
	closed := s.closed
	s.adopt = adopt
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return s.share()
}

// share offers the foreign datagrams of sockets that are new.
func (s *Server) share() error {
	s.mu.RLock()
	adopt := s.adopt
	s.mu.RUnlock()
	if adopt == nil {
		return nil
	}
	for _, p := range s.all() {
		f := newForeign(p.sock, s.cfg.Limits.Foreign, &s.count.foreignFull)
		if !p.foreign.CompareAndSwap(nil, f) {
			continue
		}
		if err := adopt(f); err != nil {
			_ = f.Close()
			return err
		}
	}
	return nil
}

// push takes over p.
func (f *Foreign) push(p netio.Packet) {
	select {
	case <-f.done:
	default:
		select {
		case f.waiting <- p:
			return
		default:
		}
	}
	f.dropped.Add(1)
	p.Release()
}

// ReadFromUDPAddrPort waits for a datagram. What does not fit into b is cut off, as of a UDP socket.
func (f *Foreign) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case <-f.done:
		return 0, netip.AddrPort{}, net.ErrClosed
	case p := <-f.waiting:
		n := copy(b, p.Data)
		p.Release()
		return n, p.From, nil
	}
}

// ReadFrom is ReadFromUDPAddrPort with a *net.UDPAddr.
func (f *Foreign) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := f.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteToUDPAddrPort sends one datagram from the socket's address.
func (f *Foreign) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if err := f.sock.WriteTo(b, netip.AddrPortFrom(to.Addr().Unmap(), to.Port())); err != nil {
		return 0, err
	}
	return len(b), nil
}

// WriteTo is WriteToUDPAddrPort for a *net.UDPAddr.
func (f *Foreign) WriteTo(b []byte, to net.Addr) (int, error) {
	a, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("lite: %v is no UDP address", to)
	}
	return f.WriteToUDPAddrPort(b, a.AddrPort())
}

// LocalAddr is the *net.UDPAddr of the socket.
func (f *Foreign) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(f.sock.Addr()) }

// Close gives the datagrams up; the socket stays media's. It may be called twice.
func (f *Foreign) Close() error {
	f.end()
	for {
		select {
		case p := <-f.waiting:
			p.Release()
		default:
			return nil
		}
	}
}

// SetDeadline is not supported.
func (f *Foreign) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline is not supported.
func (f *Foreign) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline is not supported: writing never waits long.
func (f *Foreign) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
