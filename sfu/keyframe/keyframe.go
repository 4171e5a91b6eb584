// Package keyframe decides when a publisher is asked for a key frame.
//
// It merges the wishes of all subscribers of one layer, and repeats a request until the key frame has come: a single
// picture loss indication is easily lost, and encoders ignore those that follow a key frame closely.
package keyframe

import "time"

const (
	interval = 300 * time.Millisecond
	patience = 10 // requests after which a publisher is taken to have none to give
	slow     = 3 * time.Second
)

// Requester is about one layer of a publication. The zero value wants nothing.
type Requester struct {
	wanted bool
	sent   time.Time // last request, zero for none
	tries  int       // since the last key frame
}

// Want asks for a key frame. Asking while one is wanted changes nothing.
func (r *Requester) Want() { r.wanted = true }

// Wanted says whether a key frame is waited for.
func (r *Requester) Wanted() bool { return r.wanted }

// Arrived says that a key frame has come.
func (r *Requester) Arrived() { r.wanted, r.tries = false, 0 }

// Poll says whether a request is to be sent now, and when to ask again; a zero time is never.
func (r *Requester) Poll(now time.Time) (send bool, next time.Time) {
	if !r.wanted {
		return false, time.Time{}
	}
	pause := interval
	if r.tries >= patience {
		pause = slow
	}
	if due := r.sent.Add(pause); !r.sent.IsZero() && now.Before(due) {
		return false, due
	}
	r.sent = now
	r.tries++
	return true, now.Add(interval)
}
