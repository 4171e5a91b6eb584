package signaling

import (
	"log/slog"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
	"github.com/turnout-rtc/turnout/turn"
)

// mailboxSize is how many messages may wait for a room. Whoever finds it full waits: a reader, which holds its client back, or
// a transport.
const mailboxSize = 256

// loop is one room: a goroutine around a room.State and the handles of its members. It does no SDP and no disk.
type loop struct {
	// Set at construction, never changed.
	name    string
	srv     *Server
	log     *slog.Logger
	router  *sfu.Router
	hub     *datachannel.Hub
	mailbox chan message
	done    chan struct{} // closed when it takes no more messages

	// Owned by run.
	state     *room.State
	members   map[room.SID]*member
	visitors  map[*visitor]struct{}
	published map[room.PublicationID]publication
	full      []room.SID // sessions that took no more
	doing     doing
	alarm     alarm     // for the times of members and emptyAt
	emptyAt   time.Time // when an empty room is given up; zero: it is not empty
	over      bool
}

// member is what the loop holds of a participant. Its media, data and membership are separate handles.
type member struct {
	identity  string
	session   *liveSession
	transport *sfu.Transport // nil: none yet
	number    int            // of the transport
	offers    []waitingOffer // given to the transport and not answered, in order
	data      *datachannel.Member
	wires     map[*sfu.DataChannel]*datachannel.Wire
	slotMaps  uint64 // version of the last slotMap: transports count from 1 each, the client's goes on
	slots     int    // rev of the last slots, likewise

	connect      time.Duration // how long media may take; 0: a client that can be asked for another offer
	connectUntil time.Time     // zero: it is connected, or may take its time
	graceUntil   time.Time     // zero: its WebSocket is there
	restartUntil time.Time     // when waiting for an ICE restart ends; zero: nothing failed
	renewICE     time.Time     // zero: never
}

// doing is what belongs to the request at hand and is not the state's business.
type doing struct {
	re  uint64 // the request's number
	sdp string // of an offer
}

// publication is a track in the media plane.
type publication struct {
	*sfu.Publication
	owner *member
}

// waitingOffer is an offer whose answer is a reply to request re.
type waitingOffer struct {
	rev int
	re  uint64
}

func newLoop(srv *Server, name string) *loop {
	log := srv.log.With("room", name)
	l := &loop{
		name: name, srv: srv, log: log,
		router: srv.planes.Media.NewRouter(name), hub: datachannel.NewHub(name, srv.planes.Data, log, datachannel.Services{Store: srv.planes.Documents}),
		mailbox: make(chan message, mailboxSize), done: make(chan struct{}),
		state:   room.New(srv.cfg.room()),
		members: map[room.SID]*member{}, visitors: map[*visitor]struct{}{}, published: map[room.PublicationID]publication{},
		alarm: newAlarm(),
	}
	l.emptyAt = time.Now().Add(srv.cfg.EmptyTimeout)
	l.alarm.set(l.emptyAt)
	return l
}

// post hands over a message. It says false if the room is over.
func (l *loop) post(m message) bool {
	select {
	case l.mailbox <- m:
		return true
	case <-l.done:
		return false
	}
}

func (l *loop) run() {
	l.srv.count.rooms.Add(1)
	for !l.over {
		select {
		case m := <-l.mailbox:
			m.handle(l)
		case now := <-l.alarm.timer.C:
			l.sweep(now)
		}
	}
	l.srv.rooms.end(l)
	l.endVisits()
	close(l.done) // first: who waits to post lets go, and the planes' goroutines can end
	l.discard()
	l.srv.count.data.retire(l.hub.Stats())
	l.srv.count.rooms.Add(-1)
}

// discard lets go of what newLoop has made.
func (l *loop) discard() {
	l.alarm.timer.Stop()
	l.router.Close()
	l.hub.Close()
}

// sweep does what is due, and sets the alarm for what is due next.
func (l *loop) sweep(now time.Time) {
	l.alarm.rang()
	for sid, m := range l.members {
		l.due(now, sid, m)
	}
	switch {
	case !l.alarm.passed(now, l.emptyAt):
	case l.srv.rooms.retire(l):
		l.over = true
	default: // somebody is at the door
		l.emptyAt = now.Add(l.srv.cfg.EmptyTimeout)
		l.alarm.set(l.emptyAt)
	}
}

func (l *loop) due(now time.Time, sid room.SID, m *member) {
	if l.alarm.passed(now, m.restartUntil) {
		m.restartUntil = time.Time{}
		l.startAnew(sid, m)
	}
	if l.alarm.passed(now, m.connectUntil) {
		m.connectUntil = time.Time{}
		l.startAnew(sid, m)
	}
	if l.alarm.passed(now, m.renewICE) {
		l.send(sid, protocol.ICEServers{ICEServers: l.iceServers(m)})
	}
	if l.alarm.passed(now, m.graceUntil) {
		m.graceUntil = time.Time{}
		if m.session.expire() {
			l.expel(sid, protocol.ConnectionLost, "the connection was lost")
		}
	}
}

// iceServers mints credentials and sees to it that fresh ones follow in time.
func (l *loop) iceServers(m *member) protocol.List[protocol.ICEServer] {
	if l.srv.planes.TURN == nil {
		return nil
	}
	servers, expires := l.srv.planes.TURN.ICEServers(relayUser(l.name, m.identity))
	life := time.Until(expires)
	m.renewICE = time.Now().Add(max(life*3/4, time.Second)) // at the latest: a restart needs some minutes of the old ones
	l.alarm.set(m.renewICE)
	return asICEServers(servers)
}

func asICEServers(in []turn.ICEServer) protocol.List[protocol.ICEServer] {
	var out protocol.List[protocol.ICEServer]
	for _, s := range in {
		out = append(out, protocol.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return out
}
