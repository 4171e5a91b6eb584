//go:build !linux

package turn

import (
	"errors"
	"net"
	"syscall"
)

// sharePort is not offered: elsewhere the kernel does not spread clients over sockets.
func sharePort(string, string, syscall.RawConn) error {
	return errors.New("turn.relay.sockets above 1 needs Linux")
}

// packets makes the transport of a UDP socket.
func (s *Server) packets(conn *net.UDPConn) transport { return &udpTransport{conn} }
