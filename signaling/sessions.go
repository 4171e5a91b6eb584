package signaling

import (
	"context"
	"sync"
)

// sessions finds a session by its id, and counts them.
type sessions struct {
	max int // never changed

	// Guarded by mu.
	mu       sync.Mutex
	byID     map[string]inRoom
	reserved int           // for joins under way
	emptied  chan struct{} // closed when the last one is gone; nil: nobody waits
}

type inRoom struct {
	session *liveSession
	room    *loop
}

// reserve keeps a place for one more, which add takes or release gives back.
func (s *sessions) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID)+s.reserved >= s.max {
		return false
	}
	s.reserved++
	return true
}

func (s *sessions) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
	s.note()
}

func (s *sessions) add(v inRoom) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
	s.byID[v.session.id] = v
}

func (s *sessions) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
	s.note()
}

// note wakes who waits for the last one to go. mu is held.
func (s *sessions) note() {
	if s.emptied != nil && len(s.byID)+s.reserved == 0 {
		close(s.emptied)
		s.emptied = nil
	}
}

func (s *sessions) find(id, secret string) (inRoom, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.byID[id]
	if !ok || !sameSecret(v.session.secret, secret) {
		return inRoom{}, false
	}
	return v, true
}

func (s *sessions) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// waitEmpty waits until there is none, or ctx is done. One caller at a time.
func (s *sessions) waitEmpty(ctx context.Context) {
	s.mu.Lock()
	if len(s.byID)+s.reserved == 0 {
		s.mu.Unlock()
		return
	}
	if s.emptied == nil {
		s.emptied = make(chan struct{})
	}
	emptied := s.emptied
	s.mu.Unlock()
	select {
	case <-emptied:
	case <-ctx.Done():
	}
}
