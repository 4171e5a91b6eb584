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
	newcome chan newcomer

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
	visits int
}

// newcomer is one of the two.
type newcomer struct {
	publisher *publisher
	listener  *listener
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
	l := &loop{done: make(chan struct{}), ended: make(chan struct{}), newcome: make(chan newcomer, 64), alarm: a, batch: newBatch()}
	go l.run()
	return l, nil
}

// publish has the loop send for a publisher.
func (l *loop) publish(p *publisher) { l.add(newcomer{publisher: p}) }

// listen has the loop read for a subscriber, whose functions it calls.
func (l *loop) listen(one *listener) { l.add(newcomer{listener: one}) }

func (l *loop) add(n newcomer) {
	select {
	case l.newcome <- n:
	case <-l.done:
	}
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
		case n := <-l.newcome:
			l.seat(n)
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

func (l *loop) seat(n newcomer) {
	switch {
	case n.publisher != nil:
		n.publisher.begin(time.Now())
		l.publishers = append(l.publishers, n.publisher)
	case n.listener != nil:
		group := l.joined % visits
		n.listener.visits = l.joined / visits // not all of a group report at the same visit
		l.groups[group] = append(l.groups[group], n.listener)
		l.joined++
	}
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
		if one.visits++; one.visits%visits == 0 && one.tell != nil {
			one.tell()
		}
		l.sendDue(time.Now())
	}
	l.visit = (l.visit + 1) % visits
}
