package hocuspocus

import (
	"errors"

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
	out   *visit.Out

	stay  *visit.Stay // nil: no document has been authenticated
	talks map[string]*talk
	stray *rate.Limiter
}

var _ visit.Caller = (*link)(nil)

// Hear implements visit.Caller.
func (l *link) Hear(b []byte) error {
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
	case (m.Kind == yjs.Token || m.Kind == yjs.Stateless || t == nil) && !l.stray.Allow():
		l.out.End(visit.Flood())
	case m.Kind == yjs.Token:
		return l.authenticate(m, t)
	case t == nil: // of a document that was refused or closed a moment ago
	case m.Kind == yjs.Stateless: // for a server that is programmed; clients take what they hear for the server's own word, so it is not passed on
	case m.Kind == yjs.Close:
		t.Close()
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
	token, err := l.door.door.House.Admit(signed, l.room)
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
		t.Close()
		t = nil
	}
	if t == nil && len(l.talks) >= l.door.documents {
		l.deny(m, t, &protocol.Error{Code: protocol.Code(datachannel.CodeDocLimit), Message: "you have too many documents open", Hint: "close some of them"})
		return nil
	}
	if t == nil {
		if err := l.enter(token); err != nil {
			return err
		}
		t = newTalk(l, m, token.Identity, write)
		name := string(m.Document())
		t.open = func(vector []byte, tell func(datachannel.DocEvent) datachannel.Reception) *datachannel.DocReader {
			return l.stay.Data.OpenDoc(token.Identity, name, grants, vector, tell)
		}
		l.talks[string(m.Key)] = t
	}
	scope := yjs.ScopeReadOnly
	if write {
		scope = yjs.ScopeReadWrite
	}
	t.Reply(yjs.Authenticated, []byte(scope))
	return nil
}

// enter lets the connection into the room, once.
func (l *link) enter(token auth.Token) error {
	if l.stay != nil {
		return nil
	}
	stay, err := l.door.door.House.Enter(l.room, token.Identity, l.out.End)
	if err != nil {
		return err
	}
	l.stay = &stay
	l.out.Drained(stay.Data.Drained)
	l.out.Begun()
	return nil
}

// deny says why a document is not opened. A code stands first, for programs.
func (l *link) deny(m yjs.Hocuspocus, t *talk, err error) {
	reason := "server.internal"
	l.door.door.Refuse(err)
	var fault *protocol.Error
	if errors.As(err, &fault) {
		reason = string(fault.Code) + ": " + fault.Message
	}
	if t != nil {
		t.Close()
		delete(l.talks, string(m.Key))
	}
	l.send(yjs.Hocuspocus{Key: m.Key, Message: yjs.Message{Kind: yjs.PermissionDenied, Body: []byte(reason)}})
}

func (l *link) send(m yjs.Hocuspocus) { l.out.Reply(frame(m.Key, m.Kind, m.Body)) }

// Begun implements visit.Caller.
func (l *link) Begun() bool { return l.stay != nil }

// Close implements visit.Caller.
func (l *link) Close() {
	for _, t := range l.talks {
		t.Close()
	}
	if l.stay != nil {
		l.stay.Leave()
	}
}
