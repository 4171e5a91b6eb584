package turn

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/frame"
	"github.com/turnout-rtc/turnout/turn/policy"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// relay is the data side of one allocation: a relayed address, and who may talk through it. pion keeps the allocation's
// life time and tells by events which channels and permissions it has; the datagrams themselves never reach pion.
type relay struct {
	// Set at construction, never changed.
	sock    *socket
	client  netip.AddrPort
	user    string
	local   netip.AddrPort // where the relay really is
	relayed netip.AddrPort // what the client was told
	out     outlet
	created time.Time

	peers    peerTable
	shape    shaper
	newPeers quota.Bucket // Owned by the socket's read loop.
	up, down traffic

	gone  chan struct{} // closed when pion has forgotten the allocation
	once  sync.Once     // Close
	ended sync.Once     // ReadFrom
}

// outlet is how a relay reaches peers: a UDP socket of its own, or the SFU in the same process.
type outlet interface {
	// send sends one payload, which it does not keep.
	send(b []byte, to netip.AddrPort) error
	// pump calls r.receive for what comes from peers, until the outlet is closed.
	pump(r *relay)
	close() error
}

// shaper limits the rate of one allocation, both directions together.
type shaper struct {
	mu      sync.Mutex
	packets quota.Bucket // Guarded by mu.
	bytes   quota.Bucket // Guarded by mu.
}

func (s *shaper) take(now time.Time, n int, c *settings) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packets.Take(now, c.packets, 1) && s.bytes.Take(now, c.bytes, float64(n))
}

// toChannel says where ChannelData of n bytes on a channel goes.
func (r *relay) toChannel(now time.Time, channel uint16, n int) (to netip.AddrPort, why drop, ok bool) {
	pol := r.sock.srv.policy.Load()
	p, passed := r.peers.channel(channel, pol)
	switch {
	case p == nil:
		return netip.AddrPort{}, dropNoChannel, false
	case !passed && !r.judge(pol, p):
		return netip.AddrPort{}, dropPolicy, false
	case !r.shape.take(now, n, r.sock.srv.settings.Load()):
		return netip.AddrPort{}, dropRate, false
	}
	return p.to, 0, true
}

// toPeer says where a Send indication of n bytes to a peer goes.
func (r *relay) toPeer(now time.Time, addr netip.AddrPort, n int) (to netip.AddrPort, why drop, ok bool) {
	pol := r.sock.srv.policy.Load()
	p, permitted, passed := r.peers.permitted(addr, pol)
	if !permitted {
		return netip.AddrPort{}, dropNoPermission, false
	}
	if p == nil {
		p = r.peers.add(addr, r.sock.srv.inside(addr))
	}
	switch {
	case !passed && !r.judge(pol, p):
		return netip.AddrPort{}, dropPolicy, false
	case !r.shape.take(now, n, r.sock.srv.settings.Load()):
		return netip.AddrPort{}, dropRate, false
	}
	return p.to, 0, true
}

// judge asks the policy about p, and remembers a yes that lasts.
func (r *relay) judge(pol *policy.Policy, p *peer) bool {
	reason, lasting := pol.Peer(p.addr, r.sock.srv.live)
	if reason != policy.Allowed {
		r.sock.srv.count.deny(reason)
		return false
	}
	if lasting {
		r.peers.pass(p, pol)
	}
	return true
}

// send relays one payload of the client.
func (r *relay) send(b []byte, to netip.AddrPort) {
	if r.out.send(b, to) != nil {
		r.sock.srv.count.drop(dropFull)
		return
	}
	r.sent(1, len(b))
}

func (r *relay) sent(packets, bytes int) {
	r.up.add(packets, bytes)
	r.sock.srv.count.up.add(packets, bytes)
}

func (r *relay) received(packets, bytes int) {
	r.down.add(packets, bytes)
	r.sock.srv.count.down.add(packets, bytes)
}

// from says who src is for the client: the name it uses, and its channel, 0 for a Data indication.
func (r *relay) from(now time.Time, src netip.AddrPort, n int) (name netip.AddrPort, channel uint16, why drop, ok bool) {
	pol := r.sock.srv.policy.Load()
	p, permitted, passed := r.peers.permitted(src, pol)
	if !permitted {
		if name := r.sock.srv.outside(src); name != src {
			src = name
			p, permitted, passed = r.peers.permitted(src, pol)
		}
	}
	if permitted && p == nil {
		p = r.peers.add(src, r.sock.srv.inside(src))
	}
	switch {
	case !permitted:
		return src, 0, dropNoPermission, false
	case !passed && !r.judge(pol, p):
		return src, 0, dropPolicy, false
	case !r.shape.take(now, n, r.sock.srv.settings.Load()):
		return src, 0, dropRate, false
	}
	return src, r.peers.number(p), 0, true
}

// wrap makes of the payload buf[frame.Headroom:][:n], received from src, the message for the client. It is nil when the
// datagram is dropped.
func (r *relay) wrap(now time.Time, buf []byte, n int, src netip.AddrPort) []byte {
	if n >= relayMTU { // the rest may be cut off
		r.sock.srv.count.drop(dropTooLong)
		return nil
	}
	name, channel, why, ok := r.from(now, src, n)
	if !ok {
		r.sock.srv.count.drop(why)
		return nil
	}
	if channel != 0 {
		return frame.PutChannel(buf, frame.Headroom, n, channel, r.sock.stream())
	}
	return frame.PutData(buf, frame.Headroom, n, name, transactionID())
}

// transactionID of an indication, which nobody answers (RFC 8489 §6: it only has to differ).
func transactionID() (id [12]byte) {
	for i := 0; i < len(id); i += 4 {
		v := rand.Uint32() //nolint:gosec // see above
		id[i], id[i+1], id[i+2], id[i+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
	}
	return id
}

// relayMTU is more than the longest payload taken from a peer, in bytes: no WebRTC datagram is longer than an Ethernet frame.
const relayMTU = 2048

// relayBuf is the size of a buffer for receive.
const relayBuf = frame.Headroom + relayMTU + frame.Tailroom

// receive hands one payload, buf[frame.Headroom:][:n], of a peer to the client. It spoils the rest of buf.
func (r *relay) receive(buf []byte, n int, src netip.AddrPort) {
	m := r.wrap(time.Now(), buf, n, src)
	if m == nil {
		return
	}
	if err := r.sock.transport.write(m, r.client); err != nil {
		r.sock.srv.count.drop(dropFull)
		return
	}
	r.received(1, n)
}

// The rest makes relay the net.PacketConn that pion owns. pion reads nothing from it and writes nothing to it, but lends
// it the goroutine that reads.

func (r *relay) ReadFrom([]byte) (int, net.Addr, error) {
	r.out.pump(r)
	r.ended.Do(func() {
		time.AfterFunc(forgetting, func() { r.sock.left(r) })
		r.sock.srv.running.Done()
	})
	return 0, nil, net.ErrClosed
}

// forgetting is what pion may take to forget an allocation after ReadFrom has failed: a few instructions, and a lock.
const forgetting = 10 * time.Millisecond

func (r *relay) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// Close ends the relay. pion closes it when the allocation ends; closed by us, it ends the allocation.
// It never fails: pion would keep the other allocations open.
func (r *relay) Close() error {
	r.once.Do(func() {
		r.sock.forget(r)
		r.sock.srv.forget(r)
		_ = r.out.close() // ends the pump, for which Server.Close waits: whatever must be true then comes before
		r.sock.srv.ports.release(int(r.local.Port()))
	})
	return nil
}

func (r *relay) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(r.relayed) }
func (r *relay) SetDeadline(time.Time) error      { return nil }
func (r *relay) SetReadDeadline(time.Time) error  { return nil }
func (r *relay) SetWriteDeadline(time.Time) error { return nil }
