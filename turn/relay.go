package turn

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/frame"
	"github.com/turnout-rtc/turnout/turn/policy"
)

// relay is the data side of one allocation: a relayed address, and who may talk through it. pion keeps the allocation's
// life time and tells by events which channels and permissions it has; the datagrams themselves never reach pion.
type relay struct {
	// Set at construction, never changed.
	sock    *socket
	client  netip.AddrPort
	user    string
	local   netip.AddrPort // where the relay's own socket is
	relayed netip.AddrPort // what the client was told
	conn    *net.UDPConn
	created time.Time

	mu       sync.RWMutex
	peers    map[netip.AddrPort]*peer // Guarded by mu: by the address the client uses
	channels map[uint16]*peer         // Guarded by mu
	permits  map[netip.Addr]bool      // Guarded by mu

	up, down traffic
	closed   chan struct{}
	once     sync.Once
	ended    sync.Once
}

// peer is one correspondent of a relay. Guarded by the relay's mu, but for what is set at construction.
type peer struct {
	addr    netip.AddrPort // as the client calls it
	to      netip.AddrPort // where it is reached from here
	channel uint16         // 0: none is bound
	judged  *policy.Policy // the policy that let it pass, nil when it must be judged for each datagram
}

// maxPeers bounds the correspondents remembered per relay. Beyond it, peers without channel are judged again each time.
const maxPeers = 256

// send relays one payload of the client. b is not kept.
func (r *relay) send(b []byte, to netip.AddrPort) {
	if _, err := r.conn.WriteToUDPAddrPort(b, to); err != nil {
		r.sock.srv.count.drop(dropFull)
		return
	}
	r.up.add(len(b))
	r.sock.srv.count.up.add(len(b))
}

// channelPeer finds where ChannelData of a channel goes.
func (r *relay) channelPeer(channel uint16) (netip.AddrPort, drop, bool) {
	r.mu.RLock()
	p := r.channels[channel]
	if p == nil {
		r.mu.RUnlock()
		return netip.AddrPort{}, dropNoChannel, false
	}
	to, fresh := p.to, p.judged != nil && p.judged == r.sock.srv.policy.Load()
	r.mu.RUnlock()
	if !fresh && !r.judge(p) {
		return netip.AddrPort{}, dropPolicy, false
	}
	return to, 0, true
}

// sendPeer finds where a Send indication to a peer goes.
func (r *relay) sendPeer(addr netip.AddrPort) (netip.AddrPort, drop, bool) {
	r.mu.RLock()
	permitted := r.permits[addr.Addr()]
	p := r.peers[addr]
	fresh := p != nil && p.judged != nil && p.judged == r.sock.srv.policy.Load()
	r.mu.RUnlock()
	switch {
	case !permitted:
		return netip.AddrPort{}, dropNoPermission, false
	case p == nil:
		p = r.remember(addr)
	}
	if !fresh && !r.judge(p) {
		return netip.AddrPort{}, dropPolicy, false
	}
	return p.to, 0, true
}

// remember makes the entry of a peer that has no channel.
func (r *relay) remember(addr netip.AddrPort) *peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entry(addr)
}

// entry finds or makes a peer. r.mu is held.
func (r *relay) entry(addr netip.AddrPort) *peer {
	if p := r.peers[addr]; p != nil {
		return p
	}
	if len(r.peers) >= maxPeers {
		for a, p := range r.peers {
			if p.channel == 0 {
				delete(r.peers, a)
			}
		}
	}
	p := &peer{addr: addr, to: r.sock.srv.inside(addr)}
	if len(r.peers) < maxPeers {
		r.peers[addr] = p
	}
	return p
}

// judge asks the policy about p, and remembers a yes that depends on nothing but the policy.
func (r *relay) judge(p *peer) bool {
	pol := r.sock.srv.policy.Load()
	reason := r.sock.srv.judge(pol, p.addr)
	if reason != policy.Allowed {
		r.sock.srv.count.deny(reason)
		return false
	}
	if !pol.Owns(p.addr.Addr()) { // an own port may stop being a relay's at any time
		r.mu.Lock()
		p.judged = pol
		r.mu.Unlock()
	}
	return true
}

// from finds who a datagram from src is for the client: the peer's name and channel, 0 for a Data indication.
func (r *relay) from(src netip.AddrPort) (name netip.AddrPort, channel uint16, why drop, ok bool) {
	name, channel, permitted := r.known(src)
	if channel == 0 && !permitted {
		if outside := r.sock.srv.outside(src); outside != src {
			name, channel, permitted = r.known(outside)
		}
	}
	switch {
	case channel != 0:
		return name, channel, 0, true
	case !permitted:
		return name, 0, dropNoPermission, false
	case r.sock.srv.judge(r.sock.srv.policy.Load(), name) != policy.Allowed:
		return name, 0, dropPolicy, false
	}
	return name, 0, 0, true
}

func (r *relay) known(src netip.AddrPort) (name netip.AddrPort, channel uint16, permitted bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if p := r.peers[src]; p != nil && p.channel != 0 {
		return src, p.channel, true
	}
	return src, 0, r.permits[src.Addr()]
}

// wrap makes of the payload buf[frame.Headroom:][:n], received from src, the message for the client. It is nil when the
// datagram is dropped.
func (r *relay) wrap(buf []byte, n int, src netip.AddrPort, padded bool) []byte {
	name, channel, why, ok := r.from(src)
	if !ok {
		r.sock.srv.count.drop(why)
		return nil
	}
	if channel != 0 {
		return frame.PutChannel(buf, frame.Headroom, n, channel, padded)
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

// pump carries datagrams from peers to the client until the relay is closed. It is run by the goroutine that pion starts
// for the allocation.
func (r *relay) pump() {
	buf := make([]byte, frame.Headroom+relayMTU+frame.Tailroom)
	for {
		n, src, err := r.conn.ReadFromUDPAddrPort(buf[frame.Headroom : frame.Headroom+relayMTU])
		if err != nil {
			if errors.Is(err, net.ErrClosed) || r.pause() {
				return
			}
			continue
		}
		r.receive(buf, n, canonical(src))
	}
}

// receive hands one datagram of a peer to the client.
func (r *relay) receive(buf []byte, n int, src netip.AddrPort) {
	m := r.wrap(buf, n, src, r.sock.transport.stream())
	if m == nil {
		return
	}
	if err := r.sock.transport.write(m, r.client); err != nil {
		r.sock.srv.count.drop(dropFull)
		return
	}
	r.down.add(n)
	r.sock.srv.count.down.add(n)
}

// relayMTU is the longest payload read from a peer, in bytes: no WebRTC datagram is longer than an Ethernet frame.
const relayMTU = 2048

// pause waits a moment after a strange error, so that a lasting one does not spin. It says whether the relay was closed.
func (r *relay) pause() bool {
	select {
	case <-r.closed:
		return true
	case <-time.After(errorPause):
		return false
	}
}

const errorPause = 10 * time.Millisecond

// The rest makes relay the net.PacketConn that pion owns: pion reads nothing from it and writes nothing to it.

func (r *relay) ReadFrom([]byte) (int, net.Addr, error) {
	defer r.ended.Do(r.sock.srv.running.Done)
	r.pump()
	return 0, nil, net.ErrClosed
}

func (r *relay) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), nil }

// Close ends the relay. pion closes it when the allocation ends; closed by us, it ends the allocation.
// It never fails: pion would keep the other allocations open.
func (r *relay) Close() error {
	r.once.Do(func() {
		r.sock.forget(r)
		r.sock.srv.count.allocations.Add(-1)
		close(r.closed)
		_ = r.conn.Close() // ends the pump, for which Server.Close waits: whatever must be true then comes before
		r.sock.srv.ports.release(int(r.local.Port()))
	})
	return nil
}

func (r *relay) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(r.relayed) }
func (r *relay) SetDeadline(time.Time) error      { return nil }
func (r *relay) SetReadDeadline(time.Time) error  { return nil }
func (r *relay) SetWriteDeadline(time.Time) error { return nil }

// bound, unbound, permit and forbid follow what pion decided.

func (r *relay) bound(addr netip.AddrPort, channel uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.entry(addr)
	p.channel = channel
	r.peers[addr] = p
	r.channels[channel] = p
}

func (r *relay) unbound(addr netip.AddrPort, channel uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.channels, channel)
	delete(r.peers, addr)
}

func (r *relay) permit(a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.permits[a] = true
}

func (r *relay) forbid(a netip.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.permits, a)
}
