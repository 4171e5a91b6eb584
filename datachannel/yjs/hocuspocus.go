package yjs

import "bytes"

// The kinds that only Hocuspocus' wire has, and what Message.Body holds.
const (
	Token         Kind = iota + QueryAwareness + 1 // a text: the client's token
	Authenticated                                  // a text: the scope, ScopeReadWrite or ScopeReadOnly
	Stateless                                      // a text that is the application's affair
	Close                                          // a text: why; from the client nothing
	SyncStatus                                     // one byte: 1 if the client's last change is safe, 0 if it was refused
	Ping                                           // nothing, and no document
	Pong                                           // nothing, and no document
)

// The scopes that a Hocuspocus client knows.
const (
	ScopeReadWrite = "read-write"
	ScopeReadOnly  = "readonly"
)

// The type numbers that Hocuspocus adds to those of y-websocket, and those of its own auth protocol.
const (
	typeStateless  = 5
	typeClose      = 7
	typeSyncStatus = 8
	typePing       = 9
	typePong       = 10

	hocuspocusToken         = 0
	hocuspocusDenied        = 1
	hocuspocusAuthenticated = 2
)

// Hocuspocus is one message of Hocuspocus' wire (provider 4): a message for one of the documents that share a connection.
type Hocuspocus struct {
	// Key names the document: its name and, if the client opens a document more than once, a zero byte and a session id.
	// Answers carry the same key.
	Key []byte
	Message
}

// Document is the name in the key.
func (m Hocuspocus) Document() []byte {
	name, _, _ := bytes.Cut(m.Key, []byte{0})
	return name
}

// DecodeHocuspocus reads one message of a client. The error is a *MalformedError.
func DecodeHocuspocus(b []byte) (Hocuspocus, error) {
	if len(b) == 1 && b[0] == typePong {
		return Hocuspocus{Message: Message{Kind: Pong}}, nil
	}
	if len(b) == 1 && b[0] == typePing {
		return Hocuspocus{Message: Message{Kind: Ping}}, nil
	}
	r := reader{b: b}
	m := Hocuspocus{Key: r.text()}
	m.Message = r.hocuspocus()
	r.end()
	if err := r.error("message"); err != nil {
		return Hocuspocus{}, err
	}
	return m, nil
}

func (r *reader) hocuspocus() Message {
	start := r.pos
	switch r.uint() {
	case typeAuth:
		return r.hocuspocusAuth()
	case typeStateless:
		return Message{Kind: Stateless, Body: r.text()}
	case typeClose:
		m := Message{Kind: Close}
		if r.rest() > 0 {
			m.Body = r.text()
		}
		return m
	case typeSyncStatus:
		m := Message{Kind: SyncStatus, Body: r.b[min(r.pos, len(r.b)):]}
		if r.byte() > 1 {
			r.fail(BadMessage)
		}
		return m
	}
	r.pos = start
	return r.message()
}

func (r *reader) hocuspocusAuth() Message {
	switch r.uint() {
	case hocuspocusToken:
		m := Message{Kind: Token, Body: r.text()}
		if r.rest() > 0 {
			r.text() // the version of the client
		}
		return m
	case hocuspocusDenied:
		return Message{Kind: PermissionDenied, Body: r.text()}
	case hocuspocusAuthenticated:
		return Message{Kind: Authenticated, Body: r.text()}
	}
	r.fail(BadMessage)
	return Message{}
}

// Append writes m behind b.
func (m Hocuspocus) Append(b []byte) []byte {
	switch m.Kind {
	case Ping:
		return append(b, typePing)
	case Pong:
		return append(b, typePong)
	}
	b = appendBytes(b, m.Key)
	switch m.Kind {
	case Token:
		b = append(b, typeAuth, hocuspocusToken)
	case PermissionDenied:
		b = append(b, typeAuth, hocuspocusDenied)
	case Authenticated:
		b = append(b, typeAuth, hocuspocusAuthenticated)
	case Stateless:
		b = append(b, typeStateless)
	case Close:
		b = append(b, typeClose)
	case SyncStatus:
		return append(append(b, typeSyncStatus), m.Body...)
	default:
		return m.Message.Append(b)
	}
	return appendBytes(b, m.Body)
}
