package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Tokens mints a token to join a room.
type Tokens func(ctx context.Context, room, identity string) (string, error)

// Progress is how far a load has come.
type Progress struct {
	Phase                        string // joining, measuring or leaving
	Elapsed                      time.Duration
	Joined, Failed, Participants int
	Packets                      uint64 // a second, received now
	Bits                         uint64 // likewise
	Own                          float64
}

// leaveWithin is how long participants may take to leave.
const leaveWithin = 5 * time.Second

// Run carries out a plan. tell is called about once a second. The report is of what happened until ctx was done; the error is
// of a plan that cannot be carried out.
func Run(ctx context.Context, p Plan, tokens Tokens, tell func(Progress)) (Report, error) {
	if err := p.Validate(); err != nil {
		return Report{}, err
	}
	r := &run{plan: p, tally: &tally{}, late: &lateness{}, began: time.Now(), own: startOwn()}
	publishing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	reporting := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() { r.report(reporting, tell) })

	all, err := r.cast(ctx, tokens)
	if err == nil {
		r.gather(ctx, publishing, all)
		r.play(ctx, publishing, all)
	}
	r.phase.Store("leaving")
	stop()
	goodbye, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	var leaving sync.WaitGroup
	for _, one := range all {
		leaving.Go(func() { one.leave(goodbye) })
	}
	leaving.Wait()
	close(reporting)
	reporter.Wait()
	if err != nil {
		return Report{}, err
	}
	return r.outcome(), nil
}

type run struct {
	// Set at construction, never changed.
	plan  Plan
	tally *tally
	late  *lateness
	began time.Time
	own   own

	phase    phase
	measured time.Duration // set by play
	busy     float64       // likewise
	present  int           // likewise: who took part
}

type phase struct {
	mu   sync.Mutex
	name string // guarded by mu
}

// Store sets the name.
func (p *phase) Store(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
}

// Load returns the name.
func (p *phase) Load() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.name
}

// cast makes the participants with their tokens, publishers first in each room.
func (r *run) cast(ctx context.Context, tokens Tokens) ([]*participant, error) {
	r.phase.Store("joining")
	var all []*participant
	p := r.plan
	for room := range p.Rooms {
		name := fmt.Sprintf("load-%d", room)
		for i := range p.Publishers + p.Subscribers {
			one := &participant{
				plan: p, identity: fmt.Sprintf("load-%d-%d", room, i), publish: i < p.Publishers,
				others: p.Publishers + p.Subscribers - 1, watches: p.Publishers * p.sources(), tally: r.tally, late: r.late,
			}
			if one.publish {
				one.watches -= p.sources()
			}
			var err error
			if one.token, err = tokens(ctx, name, one.identity); err != nil {
				return nil, fmt.Errorf("a token for %s: %w", one.identity, err)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// gather has everybody join, at the pace of the plan. Who cannot is counted; the others go on.
func (r *run) gather(ctx, publishing context.Context, all []*participant) {
	pause := time.Duration(float64(time.Second) / r.plan.Joins)
	var joining sync.WaitGroup
	ticker := time.NewTicker(max(pause, time.Microsecond))
	defer ticker.Stop()
	for _, one := range all {
		if ctx.Err() != nil {
			break
		}
		r.tally.joining.Add(1)
		joining.Go(func() {
			err := one.join(ctx, publishing)
			if err == nil {
				err = one.settle(ctx)
			}
			if err != nil && ctx.Err() == nil {
				r.tally.failed.Add(1)
				r.tally.fail("join: " + describe(err))
			}
		})
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	joining.Wait()
}

// describe is short: many participants fail for one reason.
func describe(err error) string {
	var refused *protocol.Error
	switch {
	case errors.As(err, &refused):
		return string(refused.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return err.Error()
}

// play lets what is sent flow for the time of the plan.
func (r *run) play(ctx, publishing context.Context, all []*participant) {
	r.phase.Store("measuring")
	talking, quiet := context.WithCancel(publishing)
	defer quiet()
	for _, one := range all {
		if one.room == nil || one.room.Err() != nil {
			continue
		}
		r.present++
		if one.publish && r.plan.Messages > 0 {
			one.running.Go(func() { one.talk(talking) })
		}
	}
	busy, began := startOwn(), time.Now()
	r.tally.count(true)
	select {
	case <-time.After(r.plan.Duration):
	case <-ctx.Done():
	}
	r.measured, r.busy = time.Since(began), busy.share()
	quiet()
	time.Sleep(settle) // what is under way still counts
	r.tally.count(false)
	for _, one := range all {
		if one.room != nil && one.room.Err() != nil {
			r.tally.lost.Add(1)
			r.tally.fail("room: " + describe(one.room.Err()))
		}
	}
}

// settle is how long stragglers are waited for.
const settle = 2 * giveEvery

// report tells how far it has come, until done is closed.
func (r *run) report(done <-chan struct{}, tell func(Progress)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var packets, bytes uint64
	o := startOwn()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		nowPackets, nowBytes := r.tally.packets.Load(), r.tally.bytes.Load()
		tell(Progress{
			Phase: r.phase.Load(), Elapsed: time.Since(r.began), Joined: int(r.tally.joined.Load()), Failed: int(r.tally.failed.Load()),
			Participants: r.plan.participants(), Packets: nowPackets - packets, Bits: 8 * (nowBytes - bytes), Own: o.share(),
		})
		packets, bytes, o = nowPackets, nowBytes, startOwn()
	}
}
