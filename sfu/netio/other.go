//go:build !linux

package netio

import "syscall"

const hasReusePort = false

func reusePort(string, string, syscall.RawConn) error { return nil }

func (s *Socket) setUp() error {
	_ = s.conn.SetReadBuffer(s.cfg.ReadBuffer)
	_ = s.conn.SetWriteBuffer(s.cfg.WriteBuffer)
	s.portableSetUp("one datagram per call: this system has no batches")
	return nil
}

func (s *Socket) newSender() sender { return portableSender{s} }

func (s *Socket) kernelDrops() uint64 { return 0 }
