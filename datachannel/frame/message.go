package frame

// To says who a message is for.
type To uint64

// The recipients.
const (
	ToAll        To = 0 // all other members
	ToIdentities To = 1 // those named
	ToServer     To = 2 // the server's own application
)

// Send is a message from a client. Lossy says which of the two types it travels as.
type Send struct {
	Lossy      bool
	ID         uint64
	Topic      string
	To         To
	Identities []string // with ToIdentities, 1 to MaxRecipients; else none
	Payload    []byte
}

// Message is what the recipients of a Send get.
type Message struct {
	Lossy   bool
	From    string // identity, set by the server; "" is the server's own application
	Topic   string
	Payload []byte
}

// Presence tells what has changed in the presence of others.
type Presence struct {
	Full    bool // these are all there are
	Entries []PresenceEntry
}

// PresenceEntry is one member's presence.
type PresenceEntry struct {
	Identity string
	Clock    uint64 // the owner's
	Present  bool   // false: it is gone
	Data     []byte
}

// The types of the frames above.

func (f Send) Type() Type {
	if f.Lossy {
		return TypeSendLossy
	}
	return TypeSend
}

func (f Message) Type() Type {
	if f.Lossy {
		return TypeMessageLossy
	}
	return TypeMessage
}

func (Presence) Type() Type { return TypePresence }

func (f Send) appendBody(b []byte) []byte {
	b = appendString(appendNumber(b, f.ID), f.Topic)
	b = appendNumber(b, uint64(f.To))
	b = appendNumber(b, uint64(len(f.Identities)))
	for _, identity := range f.Identities {
		b = appendString(b, identity)
	}
	return appendBytes(b, f.Payload)
}

func readSend(r *reader, lossy bool) Frame {
	f := Send{Lossy: lossy, ID: r.number(), Topic: r.text(1, MaxTopic), To: To(r.number())}
	count := r.number()
	if f.To > ToServer || count > MaxRecipients || (f.To == ToIdentities) != (count > 0) {
		r.fail()
		return f
	}
	for range count {
		f.Identities = append(f.Identities, r.text(1, MaxIdentity))
	}
	f.Payload = r.bytes()
	return f
}

func (f Message) appendBody(b []byte) []byte {
	return appendBytes(appendString(appendString(b, f.From), f.Topic), f.Payload)
}

func readMessage(r *reader, lossy bool) Frame {
	return Message{Lossy: lossy, From: r.text(0, MaxIdentity), Topic: r.text(1, MaxTopic), Payload: r.bytes()}
}

func (f Presence) appendBody(b []byte) []byte {
	b = appendFlag(b, f.Full)
	b = appendNumber(b, uint64(len(f.Entries)))
	for _, e := range f.Entries {
		b = appendNumber(appendString(b, e.Identity), e.Clock)
		b = appendBytes(appendFlag(b, e.Present), e.Data)
	}
	return b
}

func readPresence(r *reader) Frame {
	f := Presence{Full: r.flag()}
	for n := r.number(); n > 0 && !r.bad; n-- {
		f.Entries = append(f.Entries, PresenceEntry{
			Identity: r.text(1, MaxIdentity), Clock: r.number(), Present: r.flag(), Data: r.bytes(),
		})
	}
	return f
}
