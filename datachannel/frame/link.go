package frame

// Hello is the first frame of a client on a reliable wire.
type Hello struct {
	Version  uint64
	Stream   uint64 // the stream the client has, or 0
	Received uint64 // counted frames it has received on it
}

// Welcome answers Hello.
type Welcome struct {
	Version       uint64
	Stream        uint64 // another one than in Hello: both sides count from 1 again
	Received      uint64 // counted frames the server has received on it
	MessageBytes  uint64
	PresenceBytes uint64
	PresenceTTL   uint64 // milliseconds
}

// Ack says how many counted frames have been received on the stream.
type Ack struct{ Received uint64 }

// PresenceSet sets one's own presence, or takes it back.
type PresenceSet struct {
	Clock   uint64 // rises
	Present bool
	Data    []byte
}

// Error refuses a frame.
type Error struct {
	ID        uint64 // of the refused frame, 0 if it had none
	Code      string // Go constants and their meaning: package datachannel
	Message   string
	Hint      string
	Retryable bool
}

// Fragment carries a piece of a frame that does not fit into one wire message.
type Fragment struct {
	ID     uint64
	Offset uint64
	Total  uint64 // size of type and body of the whole frame
	Data   []byte
}

// Gap says that so many counted frames for this client were dropped.
type Gap struct{ Dropped uint64 }

// The types of the frames above.

func (Hello) Type() Type       { return TypeHello }
func (Welcome) Type() Type     { return TypeWelcome }
func (Ack) Type() Type         { return TypeAck }
func (PresenceSet) Type() Type { return TypePresenceSet }
func (Error) Type() Type       { return TypeError }
func (Fragment) Type() Type    { return TypeFragment }
func (Gap) Type() Type         { return TypeGap }

func (f Hello) appendBody(b []byte) []byte {
	return appendNumber(appendNumber(appendNumber(b, f.Version), f.Stream), f.Received)
}

func readHello(r *reader) Frame {
	return Hello{Version: r.number(), Stream: r.number(), Received: r.number()}
}

func (f Welcome) appendBody(b []byte) []byte {
	b = appendNumber(appendNumber(appendNumber(b, f.Version), f.Stream), f.Received)
	return appendNumber(appendNumber(appendNumber(b, f.MessageBytes), f.PresenceBytes), f.PresenceTTL)
}

func readWelcome(r *reader) Frame {
	return Welcome{
		Version: r.number(), Stream: r.positive(), Received: r.number(),
		MessageBytes: r.number(), PresenceBytes: r.number(), PresenceTTL: r.number(),
	}
}

func (f Ack) appendBody(b []byte) []byte { return appendNumber(b, f.Received) }

func readAck(r *reader) Frame { return Ack{Received: r.number()} }

// DecodeAck is Decode for what comes most, without an allocation.
func DecodeAck(raw Raw) (Ack, error) {
	r := reader{b: raw.Body}
	a := Ack{Received: r.number()}
	if r.bad {
		return Ack{}, malformed(raw.Type)
	}
	return a, nil
}

func (f PresenceSet) appendBody(b []byte) []byte {
	return appendBytes(appendFlag(appendNumber(b, f.Clock), f.Present), f.Data)
}

func readPresenceSet(r *reader) Frame {
	return PresenceSet{Clock: r.number(), Present: r.flag(), Data: r.bytes()}
}

func (f Error) appendBody(b []byte) []byte {
	b = appendNumber(b, f.ID)
	b = appendString(appendString(appendString(b, f.Code), f.Message), f.Hint)
	return appendFlag(b, f.Retryable)
}

func readError(r *reader) Frame {
	return Error{
		ID: r.number(), Code: r.text(1, MaxCode), Message: r.text(0, MaxText), Hint: r.text(0, MaxText), Retryable: r.flag(),
	}
}

func (f Fragment) appendBody(b []byte) []byte {
	return appendBytes(appendNumber(appendNumber(appendNumber(b, f.ID), f.Offset), f.Total), f.Data)
}

func readFragment(r *reader) Frame {
	f := Fragment{ID: r.positive(), Offset: r.number(), Total: r.positive(), Data: r.bytes()}
	if len(f.Data) == 0 || f.Offset > f.Total || uint64(len(f.Data)) > f.Total-f.Offset {
		r.fail()
	}
	return f
}

func (f Gap) appendBody(b []byte) []byte { return appendNumber(b, f.Dropped) }

func readGap(r *reader) Frame { return Gap{Dropped: r.number()} }
