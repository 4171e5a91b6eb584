package load

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lateness is how late this program does what is due.
type lateness struct {
	mu    sync.Mutex
	times histogram // guarded by mu
}

func (l *lateness) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times.add(d)
}

// tally is what all participants count.
type tally struct {
	joining, joined, failed, lost atomic.Int64 // participants; lost: those whose room has ended early

	packets, gaps, bytes      atomic.Uint64 // of media received
	sent, delivered, expected atomic.Uint64 // messages; expected: those that others should get

	mu sync.Mutex
	// Guarded by mu.
	joins    histogram // from the beginning to being in the room and connected
	firsts   histogram // from the beginning to the first packet of media
	media    histogram // from the publisher's send to the receiver
	messages histogram // likewise
	errors   map[string]int
	counting bool // latency and loss count: all have joined
}

func (t *tally) count(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counting = on
}

// join notes a participant that has joined.
func (t *tally) join(d time.Duration) {
	t.joined.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joins.add(d)
}

func (t *tally) first(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.firsts.add(d)
}

// fail notes what went wrong. Only so many kinds are told apart.
func (t *tally) fail(what string) {
	const kinds = 32
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors == nil {
		t.errors = map[string]int{}
	}
	if _, known := t.errors[what]; !known && len(t.errors) >= kinds {
		what = "others"
	}
	t.errors[what]++
}

// gather is what one receiver has counted of a track. It is given to the tally now and then: many receivers with one lock
// would wait for each other.
type gather struct {
	times         histogram
	packets, gaps uint64
	bytes         uint64
	next          uint16 // sequence number
	began         bool
}

// packet counts one. A gap counts until what is missing comes late.
func (g *gather) packet(seq uint16, size int, payload []byte, now time.Time) {
	g.packets++
	g.bytes += uint64(size)
	if d, ok := age(payload, now); ok {
		g.times.add(d)
	}
	switch d := int16(seq - g.next); {
	case !g.began, d == 0:
		g.next, g.began = seq+1, true
	case d > 0:
		g.gaps += uint64(d)
		g.next = seq + 1
	case g.gaps > 0:
		g.gaps--
	}
}

// give adds what was counted to the tally, and begins anew. Before all have joined it counts for the number of packets only.
func (g *gather) give(t *tally) {
	t.mu.Lock()
	counting := t.counting
	if counting {
		t.media.merge(&g.times)
	}
	t.mu.Unlock()
	if counting {
		t.packets.Add(g.packets)
		t.gaps.Add(g.gaps)
		t.bytes.Add(g.bytes)
	}
	*g = gather{next: g.next, began: g.began}
}

// message notes one that has arrived.
func (t *tally) message(payload []byte, now time.Time) {
	t.delivered.Add(1)
	if d, ok := age(payload, now); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.messages.add(d)
	}
}

// own is how busy this program is.
type own struct {
	began time.Time
	cpu   time.Duration
}

func startOwn() own { return own{time.Now(), cpuTime()} }

// share is the part of the processors it may use that it has used.
func (o own) share() float64 {
	wall := time.Since(o.began)
	if wall <= 0 {
		return 0
	}
	return float64(cpuTime()-o.cpu) / float64(wall) / float64(runtime.GOMAXPROCS(0))
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
