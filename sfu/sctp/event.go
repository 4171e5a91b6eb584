package sctp

// Event is what has happened to an Association. The types of this file are all of them.
//
//sumtype:decl
type Event interface{ event() }

// Established says that messages can be sent. If it comes again, the peer has begun anew (RFC 9260 §5.2): all streams are as
// new, and what was not acknowledged is gone.
type Established struct{}

// Message has arrived whole, and in its order if it has one. Data is the receiver's to keep. Once it is dealt with, Taken is
// to be called with its length.
type Message struct {
	Stream uint16
	PPID   uint32 // the peer's, see package dcep
	Data   []byte
}

// StreamReset says that the peer will send no more on a stream as it was (RFC 6525 §5.2.2): what comes next on it is a new one's.
type StreamReset struct{ Stream uint16 }

// Ended is the last event. Err is nil after Abort and after the peer's orderly shutdown.
type Ended struct{ Err error }

func (Established) event() {}
func (Message) event()     {}
func (StreamReset) event() {}
func (Ended) event()       {}

// Next returns what happened, oldest first, and false when there is nothing more.
func (a *Association) Next() (Event, bool) {
	if a.told == len(a.events) {
		return nil, false
	}
	e := a.events[a.told]
	a.events[a.told] = nil
	a.told++
	if a.told == len(a.events) {
		a.told = 0
		a.events = a.events[:0]
		if cap(a.events) > keptEvents {
			a.events = nil
		}
	}
	return e, true
}

// keptEvents is for how many events memory is kept while there are none.
const keptEvents = 8

func (a *Association) tell(e Event) { a.events = append(a.events, e) }
