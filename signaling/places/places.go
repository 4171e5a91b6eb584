// Package places knows who is inside of something that holds so many, and how many are on their way in.
//
// Its noun: Places. A place is reserved before the work of letting somebody in (an upgrade, an offer, a join), and filled or given
// back after it: however many come at once, never more get in than there are places. What somebody does inside is not its business.
package places

import "sync"

// Places are made by New.
type Places[K comparable, V any] struct {
	most int // Set at construction, never changed.

	// Guarded by mu.
	mu       sync.Mutex
	inside   map[K]V
	reserved int
	shut     bool
	emptied  chan struct{} // closed when nobody is inside or on the way in; nil: nobody waits for it
}

// New makes that many places.
func New[K comparable, V any](most int) *Places[K, V] {
	return &Places[K, V]{most: most, inside: map[K]V{}}
}

// Reserve keeps a place for one more, which is to be given to Fill or Release. False: there is none.
func (p *Places[K, V]) Reserve() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.inside)+p.reserved >= p.most {
		return false
	}
	p.reserved++
	return true
}

// Release gives back what was reserved.
func (p *Places[K, V]) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reserved--
	p.note()
}

// Fill has v take the reserved place, until k leaves. False: it has been shut meanwhile, and the place is still to be released.
func (p *Places[K, V]) Fill(k K, v V) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return false
	}
	p.reserved--
	p.inside[k] = v
	return true
}

// Leave frees the place of k. It may be called twice.
func (p *Places[K, V]) Leave(k K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.inside, k)
	p.note()
}

// Find says who is inside as k.
func (p *Places[K, V]) Find(k K) (V, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.inside[k]
	return v, ok
}

// Len is the number of those inside.
func (p *Places[K, V]) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.inside)
}

// Shut lets nobody in any more, and gives those who are inside. It may be called twice.
func (p *Places[K, V]) Shut() []V {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	all := make([]V, 0, len(p.inside))
	for _, v := range p.inside {
		all = append(all, v)
	}
	return all
}

// Emptied is closed as soon as nobody is inside or on the way in.
func (p *Places[K, V]) Emptied() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.emptied == nil {
		p.emptied = make(chan struct{})
	}
	emptied := p.emptied
	p.note()
	return emptied
}

// note wakes who waits. mu is held.
func (p *Places[K, V]) note() {
	if p.emptied != nil && len(p.inside)+p.reserved == 0 {
		close(p.emptied)
		p.emptied = nil
	}
}
