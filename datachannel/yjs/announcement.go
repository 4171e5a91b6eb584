package yjs

import "bytes"

// announcement is one client's state in an awareness update.
type announcement struct {
	client, clock uint64
	state         []byte // JSON; nil if the client is gone
	raw           []byte // all of it as it is on the wire
}

// null is how a client that is gone is announced.
const null = "null"

// minAnnouncement is two numbers and the length of a text.
const minAnnouncement = 3

// announcements reads an awareness update.
type announcements struct {
	reader
	announcement
	left uint64
}

func readAnnouncements(update []byte) announcements {
	r := announcements{reader: reader{b: update}}
	r.left = r.count(minAnnouncement)
	return r
}

// next moves to the next announcement. Its JSON is not looked at, except for whether it is null.
func (r *announcements) next() bool {
	if r.left == 0 || r.fault != "" {
		return false
	}
	r.left--
	start := r.pos
	r.client = r.uint()
	r.clock = r.uint()
	r.state = r.bytes()
	if r.fault != "" {
		return false
	}
	r.raw = r.b[start:r.pos]
	if isNull(r.state) {
		r.state = nil
	}
	return true
}

// isNull says whether b is what JSON.parse takes for null: white space may stand around it.
func isNull(b []byte) bool {
	if len(b) > 0 && (b[0] == '{' || b[len(b)-1] == '}') { // an object, as nearly all are
		return false
	}
	return string(bytes.Trim(b, " \t\r\n")) == null
}

// checkState fails unless the state is JSON that clients can parse.
func (r *announcements) checkState() {
	s := reader{b: r.raw}
	s.id()
	s.json()
	if s.fault != "" {
		r.fail(s.fault)
	}
}
