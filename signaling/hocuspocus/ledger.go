package hocuspocus

// ledger knows how many SyncStatus messages a durable change is worth. A client of Hocuspocus counts its unsynced changes: one more
// for each update it sends, and one when it says its state vector first; one less for each SyncStatus. What it sends in answer to
// our state vector it does not count, but that brings what was refused before, which it did.
//
// It is owned by the hub's goroutine, which tells what is on disk in the order in which it was sent.
type ledger struct {
	asked []int // state vectors that were sent and not answered: what the answers are worth
	owed  int   // updates that were refused and will come again
}

// vector notes that our state vector is sent. first says that the client has said its own, and counts from 1 again.
func (l *ledger) vector(first bool) {
	worth := l.owed
	if first {
		worth = 1
	}
	l.owed = 0
	l.asked = append(l.asked, worth)
}

// change is something that the client sent, by the number it was given.
type change uint64

// answers is the part of a change's number that says whether it answers a state vector.
const answers = 1

func numbered(n uint64, answer bool) change {
	if answer {
		return change(n<<1 | answers)
	}
	return change(n << 1)
}

func (c change) answer() bool { return c&answers != 0 }

// worth is how many SyncStatus messages a change brings. Each change asks once.
func (l *ledger) worth(c change) int {
	if !c.answer() {
		return 1
	}
	if len(l.asked) == 0 { // it was not asked for
		return 1
	}
	n := l.asked[0]
	l.asked = l.asked[1:]
	return n
}

// again notes that a change was refused and that what is in it will come again.
func (l *ledger) again(c change) { l.owed += l.worth(c) }
