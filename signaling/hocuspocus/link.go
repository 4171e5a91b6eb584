package hocuspocus

import (
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/visit"
)

// What a connection may ask that no document's hub counts: tokens to be verified, and messages about documents that are not open,
// of which a client says some before it hears of a refusal. At its beginning it says many at once.
const (
	strayRate  = 50 // a second
	strayBurst = 4000
)

// maxKey bounds a document's name together with the id of the client's session.
const maxKey = 256

// link is one connection. Owned by its reader.
type link struct {
	door  *Door
	room  string
	token string // of the request; a document may have its own
	out   visit.Out

	stay  *visit.Stay // nil: no document has been authenticated
	talks map[string]*talk
	stray *rate.Limiter
}

// hear takes one message. The error ends the connection.
func (l *link) hear(b []byte) error {
	m, err := yjs.DecodeHocuspocus(b)
	if err != nil {
		return &protocol.Error{Code: protocol.Malformed, Message: err.Error(), Hint: "use the provider of Hocuspocus 4"}
	}
	if len(m.Key) > maxKey {
		return &protocol.Error{Code: protocol.Malformed, Message: "the name of a document is too long", Hint: "it has 128 bytes at most"}
	}
	t := l.talks[string(m.Key)]
	switch {
	case m.Kind == yjs.Ping:
		l.send(yjs.Hocuspocus{Message: yjs.Message{Kind: yjs.Pong}})
	case m.Kind == yjs.Pong:
	case (m.Kind == yjs.Token || t == nil) && !l.stray.Allow():
		l.out.End(visit.Flood())
	case m.Kind == yjs.Token:
		return l.authenticate(m, t)
	case t == nil: // of a document that was refused or closed a moment ago
	case m.Kind == yjs.Close:
		t.close()
		delete(l.talks, string(m.Key))
	default:
		t.hear(m.Message)
	}
	return nil
}

// authenticate reads a document's token. A refusal concerns the document, and others on the connection go on; the error is for what
// concerns the connection.
func (l *link) authenticate(m yjs.Hocuspocus, t *talk) error {
	signed := string(m.Body)
	if signed == "" {
		signed = l.token
	}
	token, err := l.door.house.Admit(signed, l.room)
	if err != nil {
		l.deny(m, t, err)
		return nil
	}
	grants := visit.Grants(token.Grants)
	read, write := grants.Document(string(m.Document()))
	if !read {
		l.deny(m, t, &protocol.Error{Code: protocol.AuthForbidden, Message: "the token does not allow this document", Hint: "ask for a token that allows it"})
		return nil
	}
	if t != nil && (t.identity != token.Identity || t.writable != write) { // another token, with other rights: begin anew
		t.close()
		t = nil
	}
	if t == nil && len(l.talks) >= l.door.cfg.Documents {
		l.deny(m, t, &protocol.Error{Code: protocol.Code(datachannel.CodeDocLimit), Message: "you have too many documents open", Hint: "close some of them"})
		return nil
	}
	if t == nil {
		if err := l.enter(token); err != nil {
			return err
		}
		t = newTalk(l, m, token.Identity, write)
		t.open = func(vector []byte) {
			t.doc = l.stay.Data.OpenDoc(token.Identity, string(m.Document()), grants, vector, t.tell)
		}
		l.talks[string(m.Key)] = t
	}
	scope := yjs.ScopeReadOnly
	if write {
		scope = yjs.ScopeReadWrite
	}
	t.say(yjs.Authenticated, []byte(scope))
	return nil
}

// enter lets the connection into the room, once.
func (l *link) enter(token auth.Token) error {
	if l.stay != nil {
		return nil
	}
	stay, err := l.door.house.Enter(l.room, token.Identity, l.out.End)
	if err != nil {
		return err
	}
	l.stay = &stay
	l.out.Conn.Expect(time.Time{})
	return nil
}

// deny says why a document is not opened. A code stands first, for programs.
func (l *link) deny(m yjs.Hocuspocus, t *talk, err error) {
	reason := "server.internal"
	var fault *protocol.Error
	if errors.As(err, &fault) {
		l.door.house.Refused(string(fault.Code))
		reason = string(fault.Code) + ": " + fault.Message
	}
	if t != nil {
		t.close()
		delete(l.talks, string(m.Key))
	}
	l.send(yjs.Hocuspocus{Key: m.Key, Message: yjs.Message{Kind: yjs.PermissionDenied, Body: []byte(reason)}})
}

func (l *link) send(m yjs.Hocuspocus) { l.out.Send(frame(m.Key, m.Kind, m.Body)) }

func (l *link) close() {
	for _, t := range l.talks {
		t.close()
	}
	if l.stay != nil {
		l.stay.Leave()
	}
}
