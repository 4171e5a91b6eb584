// Package session keeps what outlives a participant's WebSocket: the numbered messages that may have to be sent again, which
// requests were carried out, and how much it may still send.
//
// Its nouns: an Outbox holds messages until the client has acknowledged them; a Gate says which of the client's messages are
// let through; a Session is both, with the number of the last request. It starts no goroutine, locks nothing and never reads
// the clock.
package session

import "time"

// Config bounds a session. All of it must be above zero.
type Config struct {
	Rate          int // messages a second
	Burst         int // messages at once
	QueueMessages int // kept until they are acknowledged
	QueueBytes    int
}

// Session is one participant's. The zero value is not usable.
type Session struct {
	Outbox
	Gate
	request uint64 // the highest request number carried out
}

// New makes a session whose first request, the join, had the number request.
func New(cfg Config, request uint64, now time.Time) *Session {
	return &Session{
		Outbox:  Outbox{maxMessages: cfg.QueueMessages, maxBytes: cfg.QueueBytes, first: 1},
		Gate:    Gate{rate: float64(cfg.Rate), burst: float64(cfg.Burst), tokens: float64(cfg.Burst), last: now},
		request: request,
	}
}

// Begin says whether the request id is to be carried out, and takes note of it. One that was carried out already is not: its
// reply is in the Outbox. A message without a number, 0, always is.
func (s *Session) Begin(id uint64) bool {
	if id == 0 {
		return true
	}
	if id <= s.request {
		return false
	}
	s.request = id
	return true
}

// Request is the highest request number carried out.
func (s *Session) Request() uint64 { return s.request }
