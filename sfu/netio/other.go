//go:build !linux

package netio

import (
	"net/netip"
	"syscall"
)

const hasReusePort = false

func reusePort(string, string, syscall.RawConn) error { return nil }

func (s *Socket) setUp() error {
	_ = s.conn.SetReadBuffer(s.cfg.ReadBuffer)
	_ = s.conn.SetWriteBuffer(s.cfg.WriteBuffer)
	s.portableSetUp("one datagram per call: this system has no batches")
	return nil
}

func (s *Socket) newSender() sender { return portableSender{s} }

// single is for what other systems cannot do.
type single struct{}

func (s *Socket) writeNow([]byte, netip.AddrPort) bool { return false }

func (s *Socket) kernelDrops() uint64 { return 0 }
