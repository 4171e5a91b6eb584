package lite

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestAlarmsAgainstModel compares with a list of all alarms, which is searched.
func TestAlarmsAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := newPump(nil)
	all := make([]*connection, 50)
	for i := range all {
		all[i] = &connection{}
	}
	model := map[*connection]time.Duration{} // when each was asked to go off
	now := p.epoch
	for step := range 20000 {
		c := all[rng.IntN(len(all))]
		switch rng.IntN(10) {
		case 0:
			p.forget(c)
			delete(model, c)
		case 1, 2:
			now = now.Add(time.Duration(rng.IntN(100)) * time.Millisecond)
			_, ringing := p.take(now.Sub(p.epoch), nil, nil)
			for _, c := range ringing {
				at, set := model[c]
				if !set || now.Sub(p.epoch) < at {
					t.Fatalf("step %d: an alarm for %v went off at %v", step, at, now.Sub(p.epoch))
				}
				delete(model, c)
			}
			for _, at := range model {
				if late := now.Sub(p.epoch) - at; late > 100*time.Millisecond {
					t.Fatalf("step %d: an alarm for %v has not gone off at %v", step, at, now.Sub(p.epoch))
				}
			}
		default:
			at := now.Add(time.Duration(1+rng.IntN(1000)) * time.Millisecond)
			p.set(c, now, at)
			if was, set := model[c]; !set || at.Sub(p.epoch) < was {
				model[c] = at.Sub(p.epoch)
			}
		}
		if len(p.alarms) != len(model) {
			t.Fatalf("step %d: %d alarms, want %d", step, len(p.alarms), len(model))
		}
	}
}

func TestAlarmsThatAreCloseGoOffTogether(t *testing.T) {
	p := newPump(nil)
	var all []*connection
	for i := range 100 {
		c := &connection{}
		all = append(all, c)
		p.set(c, p.epoch, p.epoch.Add(401*time.Millisecond+time.Duration(i%90)*time.Millisecond))
	}
	if _, ringing := p.take(400*time.Millisecond, nil, nil); len(ringing) != 0 {
		t.Errorf("%d go off too early", len(ringing))
	}
	if _, ringing := p.take(500*time.Millisecond, nil, nil); len(ringing) != len(all) {
		t.Errorf("%d of %d go off together", len(ringing), len(all))
	}
}

func TestMarkedTwiceIsPouredOnce(t *testing.T) {
	p := newPump(nil)
	a, b := &connection{}, &connection{}
	for range 3 {
		p.mark(a)
		p.mark(b)
	}
	if marked, _ := p.take(0, nil, nil); !slices.Equal(marked, []*connection{a, b}) {
		t.Errorf("%d are marked", len(marked))
	}
	if _, idle := p.rest(); !idle || len(p.wake) != 0 {
		t.Error("there is something to do yet")
	}
	a.marked.Store(false) // as pour does
	p.mark(a)
	if len(p.wake) != 1 {
		t.Error("the sleeping pump was not woken")
	}
	p.take(0, nil, nil)
	<-p.wake
	b.marked.Store(false)
	p.mark(b)
	if _, idle := p.rest(); idle || len(p.wake) != 0 {
		t.Error("what is marked while the pump runs waits for another wake-up")
	}
}
