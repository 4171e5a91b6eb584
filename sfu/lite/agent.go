package lite

import (
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
)

// agent is a transport's ICE agent. One of ICE-lite only answers.
type agent struct {
	answers *icelite.Agent   // nil until the first answer
	asks    *icefull.Checker // nil with ICE-lite
	streams map[int]*stream  // TCP connections the peer has authenticated on, by the path's socket number
}

var errTooManyStreams = errors.New("lite: too many TCP connections of one peer")

// restart begins an ICE session.
func (t *Transport) restart(fresh, remote icelite.Credentials) {
	t.mu.Lock()
	var retired string
	if a := &t.agent; a.answers == nil {
		a.answers = icelite.NewAgent(fresh, remote.Ufrag, t.server.cfg.Timing)
	} else {
		retired = a.answers.Restart(fresh, remote.Ufrag)
	}
	if t.agent.asks != nil {
		t.agent.asks.Begin(fresh, remote, bases(t.server.all()))
	}
	t.mu.Unlock()
	t.server.retire(retired)
}

// AddCandidate takes a candidate of the peer's (RFC 8839 §5.1) for the ICE session of ufrag, "" for the one of the last offer.
// Only a server that sends checks needs any; one that is not for now is ignored, an error says that one cannot be used.
func (t *Transport) AddCandidate(candidate, ufrag string) error {
	if t.server.asking == nil {
		return nil
	}
	to, usable, err := icefull.ParseCandidate(candidate)
	if err != nil || !usable {
		return err
	}
	t.mu.Lock()
	asks := t.agent.asks
	fits := t.agent.answers == nil || ufrag != "" && ufrag != asks.Ufrag() || asks.Add(time.Now(), to)
	t.mu.Unlock()
	t.server.asking.hurry(t)
	if !fits {
		return errTooManyCandidates
	}
	return nil
}

var errTooManyCandidates = errors.New("lite: too many candidates of one peer")

// request lets the agent decide on a connectivity check.
func (t *Transport) request(now time.Time, from demux.Path, raw []byte, via *stream, scratch *icelite.Scratch) (icelite.Result, error) {
	t.mu.Lock()
	a := &t.agent
	if a.answers == nil || t.life.closed || t.life.ended {
		t.mu.Unlock()
		return icelite.Result{}, ErrClosed
	}
	if via != nil && a.streams[from.Socket] == nil && len(a.streams) >= t.server.cfg.Limits.TCPPerOwner {
		t.mu.Unlock()
		t.server.count.tcpLimit.Add(1)
		return icelite.Result{}, errTooManyStreams
	}
	result, err := a.answers.Request(now, from, raw, scratch)
	if err == nil && via != nil {
		a.streams[from.Socket] = via
	}
	if err == nil && a.asks != nil {
		a.asks.Heard(now, t.server.basePath(from))
	}
	changed := t.publish()
	hurry := a.hurry(now)
	t.mu.Unlock()
	if hurry {
		t.server.asking.hurry(t)
	}
	t.tell(changed)
	return result, err
}

// hurry says whether a check is due before the next tick.
func (a *agent) hurry(now time.Time) bool {
	if a.asks == nil {
		return false
	}
	next, ok := a.asks.Next()
	return ok && next.Before(now.Add(time.Second))
}

// answered takes an answer to a check of ours.
func (t *Transport) answered(now time.Time, from demux.Path, raw []byte, scratch *icefull.Scratch) {
	t.mu.Lock()
	a := &t.agent
	ok := a.asks != nil && a.answers != nil && a.asks.Answered(now, t.server.basePath(from), raw, scratch)
	if ok {
		a.answers.Answered(now, from)
	}
	changed := t.publish()
	t.mu.Unlock()
	if !ok {
		t.server.count.badCheck.Add(1)
	}
	t.tell(changed)
}

// ask sends the check that is due, and says whether there is another before the next tick.
func (t *Transport) ask(now time.Time, scratch *icefull.Scratch) (more bool) {
	t.mu.Lock()
	if t.life.closed || t.life.ended {
		t.mu.Unlock()
		return false
	}
	c, ok := t.agent.asks.Poll(now, scratch)
	via := t.agent.streams[c.Path.Socket]
	more = t.agent.hurry(now)
	t.mu.Unlock()
	switch {
	case !ok:
	case via != nil:
		via.conn.Send(c.Raw)
	default:
		t.server.sendFrom(c.Path, c.Raw)
	}
	return more
}

func (t *Transport) tick(now time.Time) {
	t.mu.Lock()
	a := &t.agent
	if a.answers != nil {
		was := a.answers.State()
		a.answers.Tick(now)
		if is := a.answers.State(); is != was && is == icelite.Disconnected && a.asks != nil {
			a.asks.Again(now)
		}
	}
	changed := t.publish()
	hurry := a.hurry(now)
	t.mu.Unlock()
	if hurry {
		t.server.asking.hurry(t)
	}
	t.tell(changed)
}

// lostSocket says that a UDP socket is gone.
func (t *Transport) lostSocket(number int) {
	t.mu.Lock()
	a := &t.agent
	if a.answers != nil {
		a.answers.LostSocket(number)
	}
	changed := t.publish()
	t.mu.Unlock()
	t.tell(changed)
}

// lost says that a TCP connection is gone.
func (t *Transport) lost(p demux.Path) {
	t.mu.Lock()
	a := &t.agent
	delete(a.streams, p.Socket)
	if a.answers != nil {
		a.answers.Lost(p)
	}
	if a.asks != nil {
		a.asks.Lost(p)
	}
	changed := t.publish()
	t.mu.Unlock()
	t.tell(changed)
}
