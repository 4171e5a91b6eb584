package lite

import (
	"container/heap"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu/sctp"
)

// chunkMemory is how many bytes wait to be used again for messages, of all transports together.
const chunkMemory = 4 << 20

// grain is what alarms are rounded up to, so that many go off at once: each time costs a wake-up. A delayed report may be late by
// half of what it waits, a repeat by a quarter, and the rest of SCTP is not precise either.
func grain(wait time.Duration) time.Duration {
	switch {
	case wait < 100*time.Millisecond:
		return 10 * time.Millisecond
	case wait < 300*time.Millisecond:
		return 50 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// pump sends what data channels have to send, for all transports: one wake-up for what was queued together, and few system
// calls. What answers a packet that has just arrived is sent by who received it.
type pump struct {
	// Set at construction, never changed.
	server *Server
	memory *sctp.Memory  // of messages, of all associations
	epoch  time.Time     // of alarms
	wake   chan struct{} // of capacity 1: there is something to look at

	mu sync.Mutex
	// Guarded by mu.
	marked []*connection
	alarms alarms
	asleep bool          // run waits
	until  time.Duration // the alarm that it waits for; 0 for none
}

// alarm is a connection's place among all alarms. Guarded by the pump's mu.
type alarm struct {
	at    time.Duration // since the pump's epoch; 0 for none
	place int           // in the heap
}

// alarms is a heap, the earliest first.
type alarms []*connection

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].alarm.at < a[j].alarm.at }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].alarm.place, a[j].alarm.place = i, j
}

func (a *alarms) Push(x any) {
	c := x.(*connection)
	c.alarm.place = len(*a)
	*a = append(*a, c)
}

func (a *alarms) Pop() any {
	old := *a
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*a = old[:len(old)-1]
	return c
}

func newPump(s *Server) *pump {
	return &pump{server: s, memory: sctp.NewMemory(chunkMemory), epoch: time.Now(), wake: make(chan struct{}, 1)}
}

// mark has what c has to send sent soon. Twice is once.
func (p *pump) mark(c *connection) {
	if !c.marked.CompareAndSwap(false, true) {
		return
	}
	p.mu.Lock()
	p.marked = append(p.marked, c)
	asleep := p.asleep
	p.mu.Unlock()
	if asleep {
		p.look()
	}
}

func (p *pump) look() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// set has c pour at a time, rounded up, unless it does so earlier.
func (p *pump) set(c *connection, now, at time.Time) {
	g := grain(at.Sub(now))
	due := at.Sub(p.epoch).Truncate(g) + g
	p.mu.Lock()
	switch a := &c.alarm; {
	case a.at == 0:
		a.at = due
		heap.Push(&p.alarms, c)
	case due < a.at:
		a.at = due
		heap.Fix(&p.alarms, a.place)
	}
	late := p.asleep && (p.until == 0 || due < p.until)
	p.mu.Unlock()
	if late {
		p.look()
	}
}

// forget takes the alarm of c away.
func (p *pump) forget(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.alarm.at != 0 {
		heap.Remove(&p.alarms, c.alarm.place)
		c.alarm.at = 0
	}
}

// take appends those whose alarms have gone off to ringing, and swaps the marked ones for an empty list.
func (p *pump) take(now time.Duration, marked, ringing []*connection) (m, r []*connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asleep = false
	marked, p.marked = p.marked, marked
	for len(p.alarms) > 0 && p.alarms[0].alarm.at <= now {
		c := heap.Pop(&p.alarms).(*connection)
		c.alarm.at = 0
		ringing = append(ringing, c)
	}
	return marked, ringing
}

// rest says until which alarm there is nothing to do, 0 for none, and false if there is something now.
func (p *pump) rest() (until time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.marked) > 0 {
		return 0, false
	}
	p.asleep, p.until = true, 0
	if len(p.alarms) > 0 {
		p.until = p.alarms[0].alarm.at
	}
	return p.until, true
}

// run is the pump's goroutine.
func (p *pump) run() {
	out := p.server.NewOutlet()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var marked, ringing, told []*connection
	for armed := time.Duration(0); ; {
		now := time.Now()
		marked, ringing = p.take(now.Sub(p.epoch), marked[:0], ringing[:0])
		told = told[:0]
		for _, c := range ringing {
			c.alarmWentOff()
			if c.pour(now, out) {
				told = append(told, c)
			}
		}
		for _, c := range marked {
			if c.pour(now, out) {
				told = append(told, c)
			}
		}
		out.Flush()
		for _, c := range told {
			c.tell()
		}
		clear(told)
		clear(marked)
		clear(ringing)
		until, idle := p.rest()
		if !idle {
			continue
		}
		if until > 0 && until != armed {
			timer.Reset(until - time.Since(p.epoch))
		}
		armed = until
		select {
		case <-p.server.done:
			return
		case <-p.wake:
		case <-timer.C:
			armed = 0
		}
	}
}
