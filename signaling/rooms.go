package signaling

import "sync"

// rooms finds a room's loop by the room's name.
type rooms struct {
	make    func(name string) *loop // never changed
	running sync.WaitGroup          // the loops; Drain and Close wait for them

	// Guarded by mu.
	mu       sync.Mutex
	byName   map[string]*loop
	entering map[*loop]int // joins under way: the room must not vanish under them
	shut     bool
}

// enter returns the room of a name, a new one if there is none. Every enter is followed by one entered. It is nil when the
// server has closed.
func (r *rooms) enter(name string) *loop {
	if l, ok := r.find(name, nil); ok {
		return l
	}
	fresh := r.make(name)
	l, _ := r.find(name, fresh)
	if l != fresh {
		fresh.discard()
	}
	return l
}

// exists says whether there is a room of a name.
func (r *rooms) exists(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byName[name] != nil
}

// find returns the room of a name, or lists fresh as the room and starts it. It says false if there is neither.
func (r *rooms) find(name string, fresh *loop) (*loop, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return nil, true
	}
	l, ok := r.byName[name]
	if !ok {
		if l = fresh; l == nil {
			return nil, false
		}
		r.byName[name] = l
		r.running.Go(l.run)
	}
	r.entering[l]++
	return l, true
}

func (r *rooms) entered(l *loop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entering[l]--; r.entering[l] == 0 {
		delete(r.entering, l)
	}
}

// retire forgets a room that is empty. It says false while somebody is about to join it.
func (r *rooms) retire(l *loop) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.entering[l] > 0 {
		return false
	}
	r.unlist(l)
	return true
}

// end forgets a room that is over: who is about to join it will try again and find another.
func (r *rooms) end(l *loop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlist(l)
}

func (r *rooms) unlist(l *loop) {
	if r.byName[l.name] == l {
		delete(r.byName, l.name)
	}
}

// all lists the rooms; with shut, no others come after them.
func (r *rooms) all(shut bool) []*loop {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut = r.shut || shut
	var all []*loop
	for _, l := range r.byName {
		all = append(all, l)
	}
	return all
}
