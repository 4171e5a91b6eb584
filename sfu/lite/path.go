package lite

import (
	"net/netip"
	"time"

	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/lite/icetcp"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// Path is where to send to a peer.
type Path struct {
	Socket *netio.Socket  // nil over TCP
	Number int            // of Socket in Server.Sockets
	Remote netip.AddrPort //
	TCP    *icetcp.Conn   // nil over UDP
}

// Path is where to send to the peer now, and false while there is no consent to send. It may change at any time.
func (t *Transport) Path() (Path, bool) {
	if p := t.path.Load(); p != nil {
		return *p, true
	}
	return Path{}, false
}

// Where is Path for who asks with every packet: nil without consent. What it points to does not change, it is replaced.
func (t *Transport) Where() *Path { return t.path.Load() }

// publish makes path and state visible, and says whether to tell. mu is held.
func (t *Transport) publish() bool {
	if t.life.ended {
		t.path.Store(nil)
	} else if t.agent.answers != nil {
		t.publishPath()
	}
	state := t.current()
	return t.state.Swap(state) != state && !t.life.closed
}

func (t *Transport) publishPath() {
	to, ok := t.agent.answers.Egress()
	if asks := t.agent.asks; asks != nil {
		asks.Follow(time.Now(), t.server.egress(to, ok))
	}
	next := Path{Number: to.Socket, Remote: to.Remote}
	if s := t.agent.streams[to.Socket]; s != nil {
		next.TCP = s.conn
	} else if p := t.server.port(to.Socket); p != nil {
		next.Socket = p.sock
	} else {
		ok = false
	}
	switch was := t.path.Load(); {
	case !ok:
		t.path.Store(nil)
	case was == nil || *was != next:
		t.path.Store(&next)
		if conn := t.conn.Load(); was == nil && conn != nil {
			t.server.pump.mark(conn)
		}
	}
}

func (t *Transport) current() State {
	if t.life.closed || t.life.ended {
		return Closed
	}
	if t.agent.answers == nil {
		return New
	}
	switch t.agent.answers.State() {
	case icelite.Connected:
		if t.conn.Load() == nil {
			return Connecting
		}
		return Connected
	case icelite.Disconnected:
		return Disconnected
	case icelite.Expired:
		return Failed
	default:
		return New
	}
}
