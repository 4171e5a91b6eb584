//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// sink is a destination of the floor, or of a publisher without a server between them.
type sink struct {
	conn    *net.UDPConn
	plain   bool // packets are not encrypted
	packets atomic.Uint64
	times   []time.Duration // owned by run until done is closed
	done    chan struct{}
}

func newSink(server netip.AddrPort) (*sink, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	if err := enableGRO(conn); err != nil {
		return nil, err
	}
	k := &sink{conn: conn, done: make(chan struct{})}
	go k.run()
	_, err = conn.Write([]byte{0})
	return k, err
}

func (k *sink) run() {
	defer close(k.done)
	buf, oob := make([]byte, 64<<10), make([]byte, 64)
	for {
		n, oobn, _, _, err := k.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		size := segment(oob[:oobn], n)
		k.packets.Add(uint64((n + size - 1) / size))
		if k.plain {
			k.times = append(k.times, time.Duration(time.Now().UnixNano()-int64(binary.BigEndian.Uint64(buf[n-8:]))))
		}
	}
}

func (k *sink) close() {
	_ = k.conn.Close()
	<-k.done
}

// direct is the median time from a publisher of f to a sink, in ms, with nothing between them: what the kernel and this
// program take themselves.
func direct(f feed, window time.Duration) (float64, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	k := &sink{conn: conn, plain: true, done: make(chan struct{})}
	go k.run()
	out, err := net.DialUDP("udp4", nil, conn.LocalAddr().(*net.UDPAddr)) //nolint:forcetypeassert // a UDP socket
	if err != nil {
		k.close()
		return 0, err
	}
	p := newPublisher(f, func(packets [][]byte) error {
		for _, b := range packets {
			if _, err := out.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	time.Sleep(window)
	p.close()
	_ = out.Close()
	k.close()
	if len(k.times) == 0 {
		return 0, errors.New("nothing arrived")
	}
	slices.Sort(k.times)
	return k.times[len(k.times)/2].Seconds() * 1000, nil
}
