//go:build linux

package main

import (
	"encoding/binary"
	"net"
	"sync"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"golang.org/x/sys/unix"
)

// sampleEvery is how many packets of a client one is decrypted of, for its time.
const sampleEvery = 8

// received counts what a client got.
type received struct {
	mu sync.Mutex
	// Guarded by mu.
	packets uint64
	first   time.Time // when the first one came
	times   []time.Duration
	streams map[uint32]*stream
	arrived *twcc.Recorder
	began   time.Time
}

// stream is one SSRC.
type stream struct {
	highest uint32 // extended
	base    uint32
	packets uint32
}

// packet takes an RTP packet, still encrypted: its header is not.
func (r *received) packet(b []byte, now time.Time, sample func(b []byte, now time.Time) (time.Duration, bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		r.streams, r.arrived, r.began, r.first = map[uint32]*stream{}, twcc.NewRecorder(1), now, now
	}
	r.packets++
	ssrc, seq := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint16(b[2:])
	s := r.streams[ssrc]
	if s == nil {
		s = &stream{highest: uint32(seq), base: uint32(seq)}
		r.streams[ssrc] = s
	}
	s.packets++
	if d := int16(seq - uint16(s.highest)); d > 0 {
		s.highest += uint32(d)
	}
	if n, ok := transportNumber(b); ok {
		r.arrived.Record(ssrc, n, now.Sub(r.began).Microseconds())
	}
	if r.packets%sampleEvery == 0 {
		if d, ok := sample(b, now); ok {
			r.times = append(r.times, d)
		}
	}
}

// transportNumber is the transport-wide sequence number of a packet.
func transportNumber(b []byte) (uint16, bool) {
	if b[0]&0x10 == 0 || len(b) < 16 || binary.BigEndian.Uint16(b[12:]) != 0xBEDE {
		return 0, false
	}
	ext := b[16:]
	ext = ext[:min(len(ext), 4*int(binary.BigEndian.Uint16(b[14:])))]
	for len(ext) > 0 {
		id, n := ext[0]>>4, int(ext[0]&15)+1
		switch {
		case id == 0:
			ext = ext[1:]
		case 1+n > len(ext):
			return 0, false
		case id == transportID && n == 2:
			return binary.BigEndian.Uint16(ext[1:]), true
		default:
			ext = ext[1+n:]
		}
	}
	return 0, false
}

// sample decrypts a packet and says how long it was under way.
func (c *client) sample(b []byte, now time.Time) (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in == nil {
		return 0, false
	}
	var scratch [2048]byte
	plain, err := c.in.DecryptRTP(scratch[:0], b, nil)
	if err != nil || len(plain) < 8 {
		return 0, false
	}
	return time.Duration(now.UnixNano() - int64(binary.BigEndian.Uint64(plain[len(plain)-8:]))), true
}

// reset begins a window of measurement.
func (r *received) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets, r.times = 0, nil
	for _, s := range r.streams {
		s.packets, s.base = 0, s.highest+1
	}
}

// window is what was received since reset.
func (r *received) window() (packets, lost uint64, times []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		if want := s.highest + 1 - s.base; want > s.packets {
			lost += uint64(want - s.packets)
		}
	}
	return r.packets, lost, r.times
}

func (r *received) firstAt() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}

// Pauses between reports, as browsers make them.
const (
	transportEvery = 100 * time.Millisecond
	receiverEvery  = time.Second
)

// feedback tells the server what arrived.
func (c *client) feedback() {
	tick := time.NewTicker(transportEvery)
	defer tick.Stop()
	var reported time.Time
	for {
		select {
		case <-c.done:
			return
		case now := <-tick.C:
			report := now.Sub(reported) >= receiverEvery
			if report {
				reported = now
			}
			c.sendReports(c.received.reports(report))
		}
	}
}

// reports are what is due: of transport-cc, and with report those of the receiver.
func (r *received) reports(report bool) []rtcp.Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams == nil {
		return nil
	}
	packets := r.arrived.BuildFeedbackPacket()
	if report {
		rr := &rtcp.ReceiverReport{SSRC: 1}
		for ssrc, s := range r.streams {
			rr.Reports = append(rr.Reports, rtcp.ReceptionReport{SSRC: ssrc, LastSequenceNumber: s.highest})
		}
		packets = append([]rtcp.Packet{rr}, packets...)
	}
	return packets
}

func (c *client) sendReports(packets []rtcp.Packet) {
	if len(packets) == 0 {
		return
	}
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sealed, err := c.out.EncryptRTCP(nil, b, nil)
	if err == nil {
		_, _ = c.conn.WriteToUDPAddrPort(sealed, c.control.server)
	}
}

// reports reads the server's: a publisher is asked for key frames.
func (c *client) reports(b []byte) {
	c.mu.Lock()
	in, on := c.in, c.on
	var plain []byte
	err := net.ErrClosed
	if in != nil && on != nil {
		plain, err = in.DecryptRTCP(nil, b, nil)
	}
	c.mu.Unlock()
	if err != nil {
		return
	}
	packets, err := rtcp.Unmarshal(plain)
	if err != nil {
		return
	}
	for _, p := range packets {
		switch p.(type) {
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			on()
		}
	}
}

// enableGRO has the kernel hand over what came together as one.
func enableGRO(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) // without it, one datagram at a time
	})
}

// segment is the size of the datagrams in a buffer of n bytes.
func segment(oob []byte, n int) int {
	if len(oob) >= unix.CmsgLen(4) {
		level, kind := int32(binary.NativeEndian.Uint32(oob[8:])), int32(binary.NativeEndian.Uint32(oob[12:]))
		if level == unix.IPPROTO_UDP && kind == unix.UDP_GRO {
			if size := int(binary.NativeEndian.Uint32(oob[16:])); size > 0 {
				return size
			}
		}
	}
	return max(n, 1)
}
