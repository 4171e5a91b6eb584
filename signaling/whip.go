package signaling

import (
	"net/url"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip"
)

// doorway is what the door of WHIP and WHEP sees of a server.
type doorway struct{ srv *Server }

func (d doorway) Verify(signed string) (auth.Token, error) {
	return d.srv.keys.Verify(time.Now(), signed)
}

func (d doorway) Exists(room string) bool { return d.srv.rooms.exists(room) }

// relayUser is whom TURN knows a participant as: what is allocated is listed and ended by this name.
func relayUser(room, identity string) string {
	return url.PathEscape(identity) + "@" + url.PathEscape(room)
}

// ICEServers mints credentials for an identity of a room: it has no session yet.
func (d doorway) ICEServers(t auth.Token) []protocol.ICEServer {
	if d.srv.planes.TURN == nil {
		return nil
	}
	servers, _ := d.srv.planes.TURN.ICEServers(relayUser(t.Room, t.Identity))
	return asICEServers(servers)
}

func (d doorway) Join(e whip.Entry) (whip.Session, protocol.Joined, error) {
	auto := false
	live := newSession(d.srv.cfg.session(), 0, time.Now())
	at := &attachment{left: make(chan struct{})}
	s := &inside{session: live, at: at, wake: make(chan struct{}, 1)}
	at.conn = s
	live.attach(at, 0)
	join := protocol.Join{Protocol: protocol.Version, Client: e.Client, AutoSubscribe: &auto}
	room, err := d.srv.admit(enter{token: e.Token, join: join, session: live, connect: d.srv.cfg.WHIP.ConnectTimeout})
	if err != nil {
		d.srv.log.Debug("refused", "error", err)
		return nil, protocol.Joined{}, err
	}
	s.room = room
	first, _ := s.Hear()
	joined, _ := first.Message.(protocol.Joined) // whatever else is said comes later
	return s, joined, nil
}

// inside is a session whose client is a door of this server. It has no WebSocket: the door takes the messages itself, and
// what has been taken is acknowledged.
type inside struct {
	// Set at construction, never changed.
	room    *loop
	session *liveSession
	at      *attachment
	wake    chan struct{} // has room for one
}

var (
	_ wire         = (*inside)(nil)
	_ whip.Session = (*inside)(nil)
)

// Wake says that there may be something to hear.
func (s *inside) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // it has been said
	}
}

// Finish needs nothing more: the last message says all.
func (s *inside) Finish(protocol.CloseCode, string) { s.Wake() }

// Interrupt has nothing to interrupt.
func (s *inside) Interrupt() {}

func (s *inside) Woken() <-chan struct{} { return s.wake }

func (s *inside) Hear() (protocol.Response, bool) {
	frame, ok := s.session.next(s.at, nil)
	if !ok {
		return protocol.Response{}, false
	}
	r, err := protocol.DecodeResponse(frame)
	if err != nil {
		panic("signaling: a message of our own cannot be read: " + err.Error())
	}
	s.session.ack(r.N)
	return r, true
}

// Say hands a request over. A room that is over has said so.
func (s *inside) Say(id uint64, m protocol.ClientMessage) {
	if s.session.begin(id) {
		s.room.post(request{sid: s.session.sid, re: id, message: m})
	}
}
