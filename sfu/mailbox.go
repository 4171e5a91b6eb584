package sfu

import "sync"

// maxCalls is how many calls into a transport may wait. Its loop is held up by the owner's emit only; an owner that far
// behind has lost the transport anyway.
const maxCalls = 4096

// mailbox carries calls to a transport's loop. put never blocks. The loop runs while there is something to do, for most transports
// have nothing to do most of the time, and a goroutine has a stack.
type mailbox struct {
	start func() // has a goroutine run the loop; set at construction

	mu sync.Mutex
	// Guarded by mu.
	calls   []func()
	rung    bool // since the loop looked last
	running bool // a loop runs, or has ended the transport
}

func newMailbox(start func()) *mailbox { return &mailbox{start: start} }

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

// ring has the loop look.
func (m *mailbox) ring() {
	m.mu.Lock()
	start := !m.running
	m.rung, m.running = true, true
	m.mu.Unlock()
	if start {
		m.start()
	}
}

// take removes all calls. more is false when nobody has rung since: the loop must end then, and the next ring starts another.
func (m *mailbox) take() (calls []func(), more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running, m.rung, more = m.rung, false, m.rung
	calls, m.calls = m.calls, nil
	return calls, more
}
