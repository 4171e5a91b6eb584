package datachannel

import (
	"sync"

	"github.com/turnout-rtc/turnout/datachannel/store"
)

// op is something for the hub's loop to do.
type op struct {
	kind   opKind
	member *Member
	wire   *Wire
	data   []byte

	reader *DocReader // of a door
	grants Grants
	id     uint64

	doc   *document // the store has answered
	entry *entry
	state store.State
	err   error
}

type opKind uint8

const (
	opJoin opKind = iota
	opLeave
	opAttach
	opDetach
	opReceive
	opDrained

	opDocOpen
	opDocSync
	opDocUpdate
	opDocAwareness
	opDocClose

	opLoaded
	opStored
	opCompacted
)

// mailbox brings ops to the loop, in the order they were put. It does not block: what members send takes one of the
// member's slots first (Member.slots), and of everything else there is little.
type mailbox struct {
	mu     sync.Mutex
	ops    []op          // Guarded by mu.
	filled chan struct{} // holds one token while there may be ops
}

func newMailbox() *mailbox { return &mailbox{filled: make(chan struct{}, 1)} }

func (b *mailbox) put(o op) {
	b.mu.Lock()
	b.ops = append(b.ops, o)
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// take returns all there is and keeps empty for what comes next.
func (b *mailbox) take(empty []op) []op {
	b.mu.Lock()
	defer b.mu.Unlock()
	ops := b.ops
	b.ops = empty[:0]
	return ops
}
