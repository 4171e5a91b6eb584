//go:build linux

package main

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// inbox is the datagrams of DTLS as a net.PacketConn.
type inbox struct {
	socket  *socket
	packets chan []byte
	done    chan struct{}

	// Set before it is used.
	server netip.AddrPort
	to     *unix.RawSockaddrInet4 // the same
}

func (i *inbox) push(b []byte) {
	select {
	case i.packets <- append([]byte(nil), b...):
	default: // DTLS sends again
	}
}

// ReadFrom waits for a datagram.
func (i *inbox) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-i.packets:
		return copy(b, p), net.UDPAddrFromAddrPort(i.server), nil
	case <-i.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends to the server.
func (i *inbox) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), i.socket.send(b, i.to) }

// Close leaves the socket open: it is the client's.
func (i *inbox) Close() error { return nil }

// LocalAddr is the socket's.
func (i *inbox) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(i.socket.local) }

// SetDeadline does nothing: the handshake has a deadline of its own, and reading ends with the client.
func (i *inbox) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, see SetDeadline.
func (i *inbox) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, see SetDeadline.
func (i *inbox) SetWriteDeadline(time.Time) error { return nil }
