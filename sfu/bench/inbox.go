//go:build linux

package main

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inbox is the datagrams of DTLS as a net.PacketConn.
type inbox struct {
	socket  *socket
	packets chan []byte
	done    chan struct{}

	mu      sync.Mutex
	expired chan struct{} // closed while the deadline of reading is over; guarded by mu

	// Set before it is used.
	server netip.AddrPort
	to     *unix.RawSockaddrInet4 // the same
}

func newInbox(s *socket, done chan struct{}) *inbox {
	return &inbox{socket: s, packets: make(chan []byte, 64), done: done, expired: make(chan struct{})}
}

func (i *inbox) push(b []byte) {
	select {
	case i.packets <- append([]byte(nil), b...):
	default: // DTLS sends again
	}
}

// ReadFrom waits for a datagram.
func (i *inbox) ReadFrom(b []byte) (int, net.Addr, error) {
	i.mu.Lock()
	expired := i.expired
	i.mu.Unlock()
	select {
	case p := <-i.packets:
		return copy(b, p), net.UDPAddrFromAddrPort(i.server), nil
	case <-i.done:
		return 0, nil, net.ErrClosed
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo sends to the server.
func (i *inbox) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), i.socket.send(b, i.to) }

// Close leaves the socket open: it is the client's.
func (i *inbox) Close() error { return nil }

// LocalAddr is the socket's.
func (i *inbox) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(i.socket.local) }

// SetDeadline is SetReadDeadline: writing never waits.
func (i *inbox) SetDeadline(t time.Time) error { return i.SetReadDeadline(t) }

// SetReadDeadline ends reading at once, if the time is over, and lets it go on, if it is not. Who sets it has a clock of its own.
func (i *inbox) SetReadDeadline(t time.Time) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	over := !t.IsZero() && t.Before(time.Now())
	was := false
	select {
	case <-i.expired:
		was = true
	default:
	}
	switch {
	case over && !was:
		close(i.expired)
	case !over && was:
		i.expired = make(chan struct{})
	}
	return nil
}

// SetWriteDeadline does nothing, see SetDeadline.
func (i *inbox) SetWriteDeadline(time.Time) error { return nil }
