//go:build linux

package main

import (
	"errors"
	"os"
	"slices"
	"time"
)

// scene is who publishes what to whom.
type scene struct {
	name        string
	publishers  int // of a room; each receives the others when there are several
	subscribers int // of a room
	rooms       int
	feed        feed
}

// outcome of one run of a scene.
type outcome struct {
	cpu         float64 // µs of the server for each packet that reached a subscriber
	busy        float64 // share of one processor the server used
	allocs      float64 // for each packet
	loss        float64 // per cent
	p50, p99    float64 // ms from the publisher's system call to the arrival at a subscriber's socket
	packetsRate float64 // delivered a second

	// Of the load itself.
	load    float64 // share of one processor it used
	late    float64 // per cent of frames and audio packets that it sent late
	dropped float64 // messages that it read too late
	failed  float64 // packets that it could not decrypt, or that nobody has sent
	why     error   // of one of those
	repeats float64 // packets that came again

	// Of something else, in per cent of the time.
	beside, besideLoad float64 // that used the server's processor, and that of the load
}

// warm is how long a scene runs before it is measured.
const warm = 700 * time.Millisecond

// run plays a scene on a fresh server and measures it.
func (s scene) run(kind string, round int, window time.Duration) (outcome, error) {
	c, err := newCast(kind, round)
	if err != nil {
		return outcome{}, err
	}
	defer c.close()
	for room := range s.rooms {
		if kind == kindFloor {
			err = c.gatherSinks(s)
		} else {
			err = c.gather(s, room)
		}
		if err != nil {
			return outcome{}, err
		}
	}
	time.Sleep(warm)
	return c.measure(window)
}

// mark is what is counted all the time.
type mark struct {
	server usage
	used   [2]int64 // µs of each processor, whoever used it
	own    int64    // µs
	played uint64
	late   uint64
	drops  uint64
	at     time.Time
}

func (c *cast) mark() (m mark, err error) {
	_, m.drops = c.received()
	m.used = [2]int64{used(serverCPU), used(ownCPU)}
	m.own, m.played, m.late = spent(), c.loop.played.Load(), c.loop.late.Load()
	m.server, err = c.server.usage(false)
	m.at = time.Now()
	return m, err
}

func (c *cast) measure(window time.Duration) (outcome, error) {
	before, err := c.mark()
	if err != nil {
		return outcome{}, err
	}
	all, _ := c.received()
	for _, r := range all {
		r.reset()
	}
	time.Sleep(window)
	var t tally
	for _, r := range all {
		t.add(r.window())
	}
	after, err := c.mark()
	if err != nil {
		return outcome{}, err
	}
	for _, pid := range []int{os.Getpid(), c.server.cmd.Process.Pid} {
		if err := checkBound(pid); err != nil {
			return outcome{}, err
		}
	}
	if t.packets == 0 {
		return outcome{}, errors.New("nothing arrived")
	}
	return judge(before, after, t), nil
}

func judge(before, after mark, t tally) outcome {
	slices.Sort(t.times)
	ms := func(q float64) float64 {
		if len(t.times) == 0 {
			return 0
		}
		return t.times[int(q*float64(len(t.times)-1))].Seconds() * 1000
	}
	packets, took := float64(t.packets), after.at.Sub(before.at)
	used, own := float64(after.server.CPU-before.server.CPU), float64(after.own-before.own)
	beside := func(cpu int, ours float64) float64 {
		return 100 * max(0, float64(after.used[cpu]-before.used[cpu])-ours) / float64(took.Microseconds())
	}
	return outcome{
		cpu: used / packets, busy: used / float64(took.Microseconds()), allocs: float64(after.server.Mallocs-before.server.Mallocs) / packets,
		loss: 100 * float64(t.lost) / (packets + float64(t.lost)), p50: ms(0.5), p99: ms(0.99), packetsRate: packets / took.Seconds(),
		load: float64(after.own-before.own) / float64(took.Microseconds()), late: 100 * float64(after.late-before.late) / max(1, float64(after.played-before.played)),
		dropped: float64(after.drops - before.drops), failed: float64(t.failed), why: t.why, repeats: float64(t.repeats),
		beside: beside(serverCPU, used), besideLoad: beside(ownCPU, own),
	}
}

// rate is how many packets a second reach subscribers when none is lost.
func (s scene) rate() float64 {
	receivers := s.publishers - 1 + s.subscribers // of each publisher
	return float64(s.rooms*s.publishers*receivers) * (float64(s.feed.frame)*s.feed.fps + s.feed.audio)
}

// Half load: rooms come in until the server needs this share of its processor.
const (
	halfLoad = 0.5
	maxLoad  = 0.8 // of the processor of the load: beyond it, what is measured is the load
	maxRooms = 30
)

// ramp finds out with how many rooms a server is nearest to half load. It goes by what packets cost: a server that something else
// keeps from its processor is not busy, and yet has no more to give. limit says what else has ended the search.
func (s scene) ramp(kind string) (rooms int, limit string, err error) {
	c, err := newCast(kind, 0)
	if err != nil {
		return 0, "", err
	}
	defer c.close()
	for s.rooms = 1; ; s.rooms++ {
		if err := c.gather(s, s.rooms-1); err != nil {
			return 0, "", err
		}
		time.Sleep(warm)
		o, err := c.measure(time.Second)
		if err != nil {
			return 0, "", err
		}
		need := o.cpu * s.rate() / 1e6
		switch more := need / float64(2*s.rooms); {
		case need >= halfLoad-more: // one more room is not nearer
			return s.rooms, "", nil
		case o.load >= maxLoad:
			return s.rooms, "the load has no more to give", nil
		case s.rooms == maxRooms:
			return s.rooms, "more rooms are not tried", nil
		}
	}
}
