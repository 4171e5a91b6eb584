//go:build linux

package main

import (
	"encoding/binary"
	"net/netip"
	"sync"
)

// sink is a destination of the floor. It is woken up by what it receives, or read by the loop, as clients are.
type sink struct {
	socket   *socket
	full     bool
	received received
	running  sync.WaitGroup
}

func newSink(server netip.AddrPort, full bool, sent *sendings) (*sink, error) {
	s, err := newSocket()
	if err != nil {
		return nil, err
	}
	k := &sink{socket: s, full: full, received: received{sent: sent}}
	if full {
		k.running.Go(func() { s.listen(k.take, func() {}) })
	} else {
		s.quiet()
	}
	return k, s.send([]byte{0}, destination(server))
}

// take is called with everything that arrives.
func (k *sink) take(b []byte, at int64) {
	if len(b) < floorHeader {
		return
	}
	_, sample := k.received.packet(b, at)
	k.received.opened(b, binary.BigEndian.Uint64(b[rtpHeader:]), at, sample)
}

func (k *sink) listener() *listener {
	return &listener{socket: k.socket, take: k.take, idle: func() {}}
}

func (k *sink) close() {
	k.socket.close()
	k.running.Wait()
}

// floorSeal is what a publisher of the floor does to a packet: its number is not encrypted, but stands behind the header, where
// others have their header extensions.
func floorSeal(dst, packet []byte) ([]byte, error) {
	dst = append(dst, packet[:rtpHeader]...)
	dst[0] &^= 0x10 // no header extension that is one
	dst = append(dst, packet[len(packet)-numberBytes:]...)
	return append(dst, packet[rtpHeader:]...), nil
}
