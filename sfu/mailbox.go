package sfu

import "sync"

// maxCalls is how many calls into a transport may wait. Its loop is held up by the owner's emit only; an owner that far
// behind has lost the transport anyway.
const maxCalls = 4096

// mailbox carries calls to a transport's loop. put never blocks.
type mailbox struct {
	wake chan struct{} // of capacity 1; set at construction

	mu    sync.Mutex
	calls []func() // guarded by mu
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// put adds a call. It says whether there was room.
func (m *mailbox) put(f func()) bool {
	m.mu.Lock()
	room := len(m.calls) < maxCalls
	if room {
		m.calls = append(m.calls, f)
	}
	m.mu.Unlock()
	m.ring()
	return room
}

// ring wakes the loop.
func (m *mailbox) ring() {
	select {
	case m.wake <- struct{}{}:
	default: // it will wake anyway
	}
}

// take removes all calls.
func (m *mailbox) take() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}
