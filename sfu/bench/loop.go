//go:build linux

package main

import (
	"sync/atomic"
	"time"
)

// loop is the one goroutine that sends for all publishers and reads for the listeners. It sleeps most of the time, and what
// arrives wakes nobody up: the kernel has noted the time, so it can wait for the next visit.
type loop struct {
	done    chan struct{} // closed by close
	ended   chan struct{}
	publish chan *publisher // has the loop send for it
	listen  chan *listener  // has the loop read for it, and call its functions

	played, late atomic.Uint64 // frames and audio packets sent, and those that were due more than lateAfter ago

	// Owned by run.
	alarm      *alarm
	batch      *batch
	publishers []*publisher
	groups     [visits][]*listener
	joined     int
	visit      int
}

// listener is a subscriber that the loop reads for.
type listener struct {
	socket *socket
	take   func(b []byte, at int64)
	idle   func() // all was taken
	tell   func() // feedback is due; it may be nil
	seen   int    // visits
}

// A listener is visited every hundredth of a second, and gives feedback at every tenth visit. The listeners are visited in
// groups, so that neither the visits nor the feedback of all come at once.
const (
	visitEvery = 10 * time.Millisecond
	visits     = 10 // groups
	groupEvery = visitEvery / visits
)

// lateAfter is how late a frame is sent that a healthy load would have sent in time.
const lateAfter = time.Millisecond

func newLoop() (*loop, error) {
	a, err := newAlarm()
	if err != nil {
		return nil, err
	}
	l := &loop{
		done: make(chan struct{}), ended: make(chan struct{}), publish: make(chan *publisher), listen: make(chan *listener),
		alarm: a, batch: newBatch(),
	}
	go l.run()
	return l, nil
}

// close ends the loop and waits for it.
func (l *loop) close() {
	close(l.done)
	<-l.ended
}

func (l *loop) run() {
	defer close(l.ended)
	defer l.alarm.close()
	next := time.Now()
	for {
		select {
		case <-l.done:
			return
		case p := <-l.publish:
			p.begin(time.Now())
			l.publishers = append(l.publishers, p)
			continue
		case one := <-l.listen:
			l.seat(one)
			continue
		default:
		}
		now := time.Now()
		due := l.sendDue(now)
		if !next.After(now) {
			l.visitGroup()
			if next = next.Add(groupEvery); next.Before(now) {
				next = now.Add(groupEvery)
			}
		}
		if next.Before(due) {
			due = next
		}
		l.alarm.wait(due)
	}
}

// seat puts a listener into a group. Not all of a group report at the same visit.
func (l *loop) seat(one *listener) {
	group := l.joined % visits
	one.seen = l.joined / visits
	l.groups[group] = append(l.groups[group], one)
	l.joined++
}

// sendDue sends what is due, and says when it has to be called again.
func (l *loop) sendDue(now time.Time) time.Time {
	next := now.Add(time.Hour)
	for _, p := range l.publishers {
		due := p.due()
		if !due.After(now) {
			l.played.Add(1)
			if now.Sub(due) > lateAfter {
				l.late.Add(1)
			}
			p.play(now)
			due = p.due()
		}
		if due.Before(next) {
			next = due
		}
	}
	return next
}

// visitGroup visits the next group. Publishers do not wait for it.
func (l *loop) visitGroup() {
	for _, one := range l.groups[l.visit] {
		l.batch.drain(one.socket, one.take)
		one.idle()
		if one.seen++; one.seen%visits == 0 && one.tell != nil {
			one.tell()
		}
		l.sendDue(time.Now())
	}
	l.visit = (l.visit + 1) % visits
}
