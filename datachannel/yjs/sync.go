package yjs

// MessageType is the first number of a y-protocols message: what the y-websocket wire carries, one message a frame.
type MessageType uint64

// The types.
const (
	MessageSync           MessageType = 0
	MessageAwareness      MessageType = 1
	MessageAuth           MessageType = 2
	MessageQueryAwareness MessageType = 3
)

// SyncType says what a sync message is (y-protocols/sync).
type SyncType uint64

// The types.
const (
	SyncStep1  SyncType = 0 // a state vector; the answer is step 2
	SyncStep2  SyncType = 1 // an update with what the other lacks
	SyncUpdate SyncType = 2 // an update
)

// Message is one y-protocols message.
type Message struct {
	Type    MessageType
	Sync    SyncType // with MessageSync
	Payload []byte   // state vector, update or awareness update; of other types, the rest of the message
}

// DecodeMessage reads a message. The payload aliases b. The error is ErrFormat; a type that y-protocols does not know is no
// error.
func DecodeMessage(b []byte) (Message, error) {
	r := reader{b: b}
	m := Message{Type: MessageType(r.number())}
	switch m.Type {
	case MessageSync:
		m.Sync = SyncType(r.number())
		m.Payload = r.bytes()
		if m.Sync > SyncUpdate {
			r.fail()
		}
	case MessageAwareness:
		m.Payload = r.bytes()
	case MessageAuth, MessageQueryAwareness:
		m.Payload = b[r.at:]
	default:
		m.Payload = b[r.at:]
	}
	if r.bad {
		return Message{}, ErrFormat
	}
	return m, nil
}

// AppendSync writes a sync message.
func AppendSync(b []byte, t SyncType, payload []byte) []byte {
	return appendBytes(append(b, byte(MessageSync), byte(t)), payload)
}

// AppendAwareness writes an awareness message.
func AppendAwareness(b, update []byte) []byte {
	return appendBytes(append(b, byte(MessageAwareness)), update)
}
