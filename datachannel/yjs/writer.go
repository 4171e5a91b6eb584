package yjs

// writer collects an update: structs client by client and in clock order, then deletions client by client. A nil writer
// drops everything.
type writer struct {
	blocks  []byte // of finished clients
	clients uint64
	block   block

	sets     []byte // of finished clients
	setCount uint64
	set      set
}

// block is the client being written.
type block struct {
	client, first, next uint64
	structs             uint64
	bytes               []byte
}

// set is the client whose deletions are being written.
type set struct {
	client, count uint64
	bytes         []byte
}

// span writes the clocks [from, to) of s, with a Skip before it if there is a gap.
func (w *writer) span(client uint64, s span, from, to uint64) {
	if w == nil {
		return
	}
	b := &w.block
	if b.structs > 0 && b.client != client {
		w.endBlock()
	}
	if b.structs == 0 {
		b.client, b.first, b.next = client, from, from
	}
	if from > b.next {
		b.bytes = appendUint(append(b.bytes, refSkip), from-b.next)
		b.structs++
	}
	b.bytes = s.appendWire(b.bytes, client, from-s.clock, to-s.clock)
	b.structs++
	b.next = to
}

func (w *writer) endBlock() {
	b := &w.block
	if b.structs == 0 {
		return
	}
	w.blocks = appendUint(w.blocks, b.structs)
	w.blocks = appendUint(w.blocks, b.client)
	w.blocks = appendUint(w.blocks, b.first)
	w.blocks = append(w.blocks, b.bytes...)
	w.clients++
	b.structs, b.bytes = 0, b.bytes[:0]
}

func (w *writer) deletion(client uint64, v interval) {
	if w == nil {
		return
	}
	s := &w.set
	if s.count > 0 && s.client != client {
		w.endSet()
	}
	s.client = client
	s.bytes = appendUint(appendUint(s.bytes, v.start), v.end-v.start)
	s.count++
}

func (w *writer) endSet() {
	s := &w.set
	if s.count == 0 {
		return
	}
	w.sets = appendUint(appendUint(w.sets, s.client), s.count)
	w.sets = append(w.sets, s.bytes...)
	w.setCount++
	s.count, s.bytes = 0, s.bytes[:0]
}

// finish is the update.
func (w *writer) finish() []byte {
	w.endSet()
	out := w.finishBlocks(len(w.sets))
	return append(appendUint(out, w.setCount), w.sets...)
}

// finishBlocks is the update up to its deletions, with room for so many bytes of them.
func (w *writer) finishBlocks(room int) []byte {
	w.endBlock()
	out := make([]byte, 0, maxUintBytes+len(w.blocks)+maxUintBytes+room)
	return append(appendUint(out, w.clients), w.blocks...)
}

// maxUintBytes is the length of the longest varUint.
const maxUintBytes = 8
