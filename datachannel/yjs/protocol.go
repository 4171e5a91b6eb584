package yjs

// Kind is what a message of the y-protocols wire says. On the wire a message is one or two type numbers and its body; a
// WebSocket frame holds exactly one, since a y-websocket client reads the first and ignores the rest.
type Kind uint8

// The kinds, and what Message.Body holds.
const (
	SyncStep1        Kind = iota // a state vector: "send me what I lack"
	SyncStep2                    // an update: the answer to SyncStep1
	SyncUpdate                   // an update that has just been made
	AwarenessUpdate              // an awareness update
	PermissionDenied             // a text: why not
	QueryAwareness               // nothing: "send me all awareness states"
)

// Message is one message. Body shares the memory of what was decoded.
type Message struct {
	Kind Kind
	Body []byte
}

// The type numbers of y-websocket, and of the sync and auth protocols inside.
const (
	typeSync      = 0
	typeAwareness = 1
	typeAuth      = 2
	typeQuery     = 3

	syncStep1  = 0
	syncStep2  = 1
	syncUpdate = 2

	authDenied = 0
)

// DecodeMessage reads one message. The body of a sync or awareness message is not looked into. The error is a
// *MalformedError.
func DecodeMessage(b []byte) (Message, error) {
	r := reader{b: b}
	m := r.message()
	r.end()
	if err := r.error("message"); err != nil {
		return Message{}, err
	}
	return m, nil
}

func (r *reader) message() Message {
	switch r.uint() {
	case typeSync:
		switch r.uint() {
		case syncStep1:
			return Message{Kind: SyncStep1, Body: r.bytes()}
		case syncStep2:
			return Message{Kind: SyncStep2, Body: r.bytes()}
		case syncUpdate:
			return Message{Kind: SyncUpdate, Body: r.bytes()}
		}
	case typeAwareness:
		return Message{Kind: AwarenessUpdate, Body: r.bytes()}
	case typeAuth:
		if r.uint() == authDenied {
			return Message{Kind: PermissionDenied, Body: r.text()}
		}
	case typeQuery:
		return Message{Kind: QueryAwareness}
	}
	r.fail(BadMessage)
	return Message{}
}

// Append writes m behind b.
func (m Message) Append(b []byte) []byte {
	switch m.Kind {
	case SyncStep1:
		b = append(b, typeSync, syncStep1)
	case SyncStep2:
		b = append(b, typeSync, syncStep2)
	case SyncUpdate:
		b = append(b, typeSync, syncUpdate)
	case AwarenessUpdate:
		b = append(b, typeAwareness)
	case PermissionDenied:
		b = append(b, typeAuth, authDenied)
	case QueryAwareness:
		return append(b, typeQuery)
	}
	return appendBytes(b, m.Body)
}
