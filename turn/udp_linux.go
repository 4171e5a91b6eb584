package turn

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharePort lets several sockets be bound to one port; the kernel spreads clients over them.
func sharePort(_, _ string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); cerr != nil {
		return cerr
	}
	return err
}

// packets makes the transport of a UDP socket: in batches, unless that was switched off or the kernel does not let us.
func (s *Server) packets(conn *net.UDPConn) transport {
	if !s.settings.Load().Relay.Portable {
		t, err := newBatch(conn)
		if err == nil {
			return t
		}
		s.log.Warn("turn: no batches on this system, relaying costs more", "error", err)
	}
	return &udpTransport{conn}
}
