package frame

// DocOpen opens a document, or syncs it again.
type DocOpen struct {
	ID          uint64
	Doc         uint64 // the client's number for it
	Name        string
	StateVector []byte
}

// DocState answers DocOpen.
type DocState struct {
	Doc         uint64
	Writable    bool
	Epoch, Seq  uint64
	Update      []byte // what the client lacks
	StateVector []byte // the server's
}

// DocUpdate is an update from a client.
type DocUpdate struct {
	ID     uint64
	Doc    uint64
	Update []byte
}

// DocChange is an update of someone else's.
type DocChange struct {
	Doc        uint64
	Epoch, Seq uint64
	Update     []byte
}

// DocAck says that an update is on disk.
type DocAck struct {
	ID         uint64 // of the DocUpdate
	Doc        uint64
	Epoch, Seq uint64
}

// DocAwareness carries a y-protocols awareness update, both ways.
type DocAwareness struct {
	Doc    uint64
	Update []byte
}

// DocClose closes a document.
type DocClose struct{ Doc uint64 }

// DocClosed closes a document from the server's side.
type DocClosed struct {
	Doc       uint64
	Code      string
	Message   string
	Hint      string
	Retryable bool
}

// The types of the frames above.

func (DocOpen) Type() Type      { return TypeDocOpen }
func (DocState) Type() Type     { return TypeDocState }
func (DocUpdate) Type() Type    { return TypeDocUpdate }
func (DocChange) Type() Type    { return TypeDocChange }
func (DocAck) Type() Type       { return TypeDocAck }
func (DocAwareness) Type() Type { return TypeDocAwareness }
func (DocClose) Type() Type     { return TypeDocClose }
func (DocClosed) Type() Type    { return TypeDocClosed }

func (f DocOpen) appendBody(b []byte) []byte {
	b = appendNumber(appendNumber(b, f.ID), f.Doc)
	return appendBytes(appendString(b, f.Name), f.StateVector)
}

func readDocOpen(r *reader) Frame {
	return DocOpen{ID: r.number(), Doc: r.positive(), Name: r.text(1, MaxDocName), StateVector: r.bytes()}
}

func (f DocState) appendBody(b []byte) []byte {
	b = appendFlag(appendNumber(b, f.Doc), f.Writable)
	b = appendNumber(appendNumber(b, f.Epoch), f.Seq)
	return appendBytes(appendBytes(b, f.Update), f.StateVector)
}

func readDocState(r *reader) Frame {
	return DocState{
		Doc: r.positive(), Writable: r.flag(), Epoch: r.number(), Seq: r.number(), Update: r.bytes(), StateVector: r.bytes(),
	}
}

func (f DocUpdate) appendBody(b []byte) []byte {
	return appendBytes(appendNumber(appendNumber(b, f.ID), f.Doc), f.Update)
}

func readDocUpdate(r *reader) Frame {
	return DocUpdate{ID: r.number(), Doc: r.positive(), Update: r.bytes()}
}

func (f DocChange) appendBody(b []byte) []byte {
	return appendBytes(appendNumber(appendNumber(appendNumber(b, f.Doc), f.Epoch), f.Seq), f.Update)
}

func readDocChange(r *reader) Frame {
	return DocChange{Doc: r.positive(), Epoch: r.number(), Seq: r.number(), Update: r.bytes()}
}

func (f DocAck) appendBody(b []byte) []byte {
	return appendNumber(appendNumber(appendNumber(appendNumber(b, f.ID), f.Doc), f.Epoch), f.Seq)
}

func readDocAck(r *reader) Frame {
	return DocAck{ID: r.number(), Doc: r.positive(), Epoch: r.number(), Seq: r.number()}
}

func (f DocAwareness) appendBody(b []byte) []byte {
	return appendBytes(appendNumber(b, f.Doc), f.Update)
}

func readDocAwareness(r *reader) Frame { return DocAwareness{Doc: r.positive(), Update: r.bytes()} }

func (f DocClose) appendBody(b []byte) []byte { return appendNumber(b, f.Doc) }

func readDocClose(r *reader) Frame { return DocClose{Doc: r.positive()} }

func (f DocClosed) appendBody(b []byte) []byte {
	b = appendString(appendString(appendString(appendNumber(b, f.Doc), f.Code), f.Message), f.Hint)
	return appendFlag(b, f.Retryable)
}

func readDocClosed(r *reader) Frame {
	return DocClosed{
		Doc: r.positive(), Code: r.text(1, MaxCode), Message: r.text(0, MaxText), Hint: r.text(0, MaxText), Retryable: r.flag(),
	}
}
