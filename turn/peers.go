package turn

import (
	"net/netip"
	"sync"

	"github.com/turnout-rtc/turnout/turn/policy"
)

// peerTable knows the correspondents of one relay: whom pion has permitted, which channels it has bound, and where each is
// reached. It judges nothing itself.
type peerTable struct {
	mu       sync.RWMutex
	peers    map[netip.AddrPort]*peer // Guarded by mu: by the address the client uses
	channels map[uint16]*peer         // Guarded by mu
	permits  map[netip.Addr]bool      // Guarded by mu
}

// peer is one correspondent. Guarded by the table's mu, but for what is set at construction.
type peer struct {
	addr    netip.AddrPort // as the client calls it; set at construction
	to      netip.AddrPort // where it is reached from here; set at construction
	channel uint16         // 0: none is bound
	passed  *policy.Policy // the policy that let it pass, nil when each datagram must be judged
}

// maxPeers bounds the correspondents remembered per relay. Beyond it, peers without channel are judged again each time.
const maxPeers = 256

func newPeerTable() peerTable {
	return peerTable{peers: map[netip.AddrPort]*peer{}, channels: map[uint16]*peer{}, permits: map[netip.Addr]bool{}}
}

// channel finds the peer of a channel, nil when it is not bound, and whether pol has let it pass.
func (t *peerTable) channel(number uint16, pol *policy.Policy) (p *peer, passed bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p = t.channels[number]
	return p, p != nil && p.passed == pol
}

// permitted finds the peer at an address, nil when it is not known yet, and whether it may talk at all: a channel keeps the
// door open for as long as it lives, also when its permission has run out.
func (t *peerTable) permitted(addr netip.AddrPort, pol *policy.Policy) (p *peer, ok, passed bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	p = t.peers[addr]
	return p, t.permits[addr.Addr()] || p != nil && p.channel != 0, p != nil && p.passed == pol
}

// number is the channel of a peer, 0 when it has none.
func (t *peerTable) number(p *peer) uint16 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return p.channel
}

// pass remembers that pol lets p pass.
func (t *peerTable) pass(p *peer, pol *policy.Policy) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.passed = pol
}

// add makes the entry of a peer that is reached at to.
func (t *peerTable) add(addr, to netip.AddrPort) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.peers) >= maxPeers {
		for a, p := range t.peers {
			if p.channel == 0 {
				delete(t.peers, a)
			}
		}
	}
	return t.entry(addr, to)
}

// entry finds or makes a peer. t.mu is held.
func (t *peerTable) entry(addr, to netip.AddrPort) *peer {
	p := t.peers[addr]
	if p == nil {
		p = &peer{addr: addr, to: to}
		t.peers[addr] = p
	}
	return p
}

// bind, unbind, permit and forbid follow what pion decided.

func (t *peerTable) bind(addr, to netip.AddrPort, channel uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.entry(addr, to)
	p.channel = channel
	t.channels[channel] = p
}

func (t *peerTable) unbind(addr netip.AddrPort, channel uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.channels, channel)
	delete(t.peers, addr)
}

func (t *peerTable) permit(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.permits[a] = true
}

func (t *peerTable) forbid(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.permits, a)
}

// room says which limit one more peer would break: a permission for addr, and a channel when number is not 0.
func (t *peerTable) room(addr netip.Addr, number uint16, l Limits) (which limited, known, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	known = t.permits[addr]
	switch {
	case !known && len(t.permits) >= l.Permissions:
		return limitPermissions, known, false
	case number != 0 && t.channels[number] == nil && len(t.channels) >= l.Channels:
		return limitChannels, known, false
	}
	return 0, known, true
}
