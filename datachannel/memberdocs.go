package datachannel

import (
	"bytes"
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

// handleDoc does what a member's frame about a document asks for. The bytes of the frame belong to a whole wire message, so
// what is kept is copied.
func (h *Hub) handleDoc(now time.Time, m *Member, f frame.Frame) *refusal {
	switch f := f.(type) {
	case frame.DocOpen:
		return h.memberOpens(now, m, f)
	case frame.DocUpdate:
		if r := m.docs[f.Doc]; r != nil {
			return h.updateDoc(now, r, f.ID, bytes.Clone(f.Update))
		}
	case frame.DocAwareness:
		if r := m.docs[f.Doc]; r != nil {
			_, x := h.awarenessOf(now, r, f.Update)
			return x
		}
	case frame.DocClose:
		if r := m.docs[f.Doc]; r != nil {
			h.closeDoc(now, r)
		}
		return nil
	}
	return refuse(CodeDocNotOpen, "There is no open document of this number.")
}

func (h *Hub) memberOpens(now time.Time, m *Member, f frame.DocOpen) *refusal {
	r := m.docs[f.Doc]
	switch {
	case r != nil && r.name != f.Name:
		return refuse(CodeMalformed, fmt.Sprintf("The number %d is that of another open document.", f.Doc))
	case r != nil:
		return h.syncDoc(r, f.StateVector)
	case len(m.docs) >= h.cfg.Documents:
		return refuse(CodeDocLimit, fmt.Sprintf("You have %d documents open, and more are not allowed.", len(m.docs)))
	}
	_, write := m.grants.Document(f.Name)
	r = &DocReader{hub: h, via: h.via.Add(1), identity: m.identity, name: f.Name, writable: write, member: m, number: f.Doc}
	r.emit = func(e DocEvent) Reception {
		h.tellMember(m, r.number, e)
		return Taken
	}
	if x := h.openDoc(now, r, m.grants, f.StateVector); x != nil {
		return x
	}
	m.docs[f.Doc] = r
	return nil
}

// tellMember puts an event of a document into the member's outbox.
func (h *Hub) tellMember(m *Member, number uint64, e DocEvent) {
	if m.left {
		return
	}
	now := time.Now()
	switch e := e.(type) {
	case DocState:
		h.enqueue(now, m, frame.DocState{
			Doc: number, Writable: e.Writable, Epoch: e.Position.Epoch, Seq: e.Position.Seq, Update: e.Update, StateVector: e.StateVector,
		})
	case DocChange:
		h.enqueue(now, m, frame.DocChange{Doc: number, Epoch: e.Position.Epoch, Seq: e.Position.Seq, Update: e.Update})
	case DocAck:
		h.enqueue(now, m, frame.DocAck{ID: e.ID, Doc: number, Epoch: e.Position.Epoch, Seq: e.Position.Seq})
	case DocRefused:
		h.enqueue(now, m, frame.Error{ID: e.ID, Code: string(e.Code), Message: e.Message, Hint: e.Hint, Retryable: e.Retryable})
	case DocAwareness:
		h.enqueue(now, m, frame.DocAwareness{Doc: number, Update: e.Update})
	case DocClosed:
		h.enqueue(now, m, frame.DocClosed{Doc: number, Code: string(e.Code), Message: e.Message, Hint: e.Hint, Retryable: e.Retryable})
	}
}
