package signaling

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/session"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// converse reads a session's WebSocket until it ends.
func (s *Server) converse(conn *ws.Conn, at *attachment, in inRoom) {
	t := talk{srv: s, conn: conn, at: at, in: in}
	data := dataWire{conn: conn, member: in.session.data}
	conn.AllowBinary(frame.MaxMessage)
	for {
		m, err := conn.Read()
		if errors.Is(err, ws.ErrTimeout) {
			conn.Finish(protocol.CloseSilent, "nothing was heard from you")
			conn.Interrupt() // nor will be
		}
		if err != nil {
			break
		}
		if m.Binary {
			data.receive(m.Data)
			continue
		}
		s.count.messages.Add(1)
		if !t.hear(m.Data) {
			break
		}
	}
	data.end()
	close(at.left)
	if in.session.detach(at) {
		in.room.post(connection{sid: in.session.sid})
	}
	guest{conn: conn}.drain()
}

// talk is what hears a session's messages.
type talk struct {
	srv  *Server
	conn *ws.Conn
	at   *attachment
	in   inRoom
}

// hear handles one message. It says false when the WebSocket is not the session's any more.
func (t talk) hear(text []byte) bool {
	r, err := protocol.DecodeRequest(text)
	verdict, mine := t.in.session.take(t.at, time.Now(), session.Cost(len(text), err == nil))
	switch {
	case !mine:
		return false
	case verdict == session.Flood:
		t.in.room.post(expulsion{sid: t.in.session.sid, reason: protocol.Flood, text: "too many messages, although they were refused"})
	case verdict == session.Refuse:
		t.refuse(r.ID, &protocol.Error{Code: protocol.RateLimited, Message: "too many messages", Hint: "wait a second, then send fewer", Retryable: true})
	case err != nil:
		t.refuse(r.ID, err)
	default:
		t.take(r)
	}
	return true
}

func (t talk) take(r protocol.Request) {
	if ping, ok := r.Message.(protocol.Ping); ok {
		t.in.session.ack(ping.N)
		// A pong that finds no room is left out: those before it say the same.
		t.conn.Say(protocol.EncodeBody(protocol.Pong{}).AppendFrame(nil, 0, 0))
		return
	}
	if t.in.session.begin(r.ID) {
		t.in.room.post(request{sid: t.in.session.sid, re: r.ID, message: r.Message})
	}
}

// refuse replies to a message that does not reach the room.
func (t talk) refuse(id uint64, err error) {
	var fault *protocol.Error
	if !errors.As(err, &fault) || !t.in.session.begin(id) {
		return
	}
	t.srv.count.errors.add(string(fault.Code))
	if !t.in.session.push(protocol.EncodeBody(fault), id) {
		t.in.room.post(expulsion{sid: t.in.session.sid, reason: protocol.SlowReader, text: "messages were not taken as fast as they came"})
	}
}
