package presence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

var start = time.Unix(1_700_000_000, 0)

func limits() Limits {
	return Limits{Bytes: 100, TTL: 4500 * time.Millisecond, Interval: 40 * time.Millisecond}
}

func value(clock uint64, s string) frame.PresenceSet {
	return frame.PresenceSet{Clock: clock, Present: true, Data: []byte(s)}
}

// model is a room as its members see it, written in the most simple way.
type model struct {
	values map[string]frame.PresenceSet
	heard  map[string]time.Time
}

func (m model) visible(now time.Time) map[string]string {
	v := map[string]string{}
	for id, s := range m.values {
		if s.Present && now.Sub(m.heard[id]) < limits().TTL {
			v[id] = string(s.Data)
		}
	}
	return v
}

// TestWatcherSeesWhatTheModelSays runs random commands; whoever follows the flushes always comes to what the model says.
func TestWatcherSeesWhatTheModelSays(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		p := New(limits())
		m := model{map[string]frame.PresenceSet{}, map[string]time.Time{}}
		seen := map[string]string{}
		now := start
		flush := func() {
			for _, e := range p.Flush(now) {
				if e.Present {
					seen[e.Identity] = string(e.Data)
				} else {
					delete(seen, e.Identity)
				}
			}
		}
		for step := range 500 {
			now = now.Add(time.Duration(random.IntN(300)) * time.Millisecond)
			id := fmt.Sprint(random.IntN(5))
			switch random.IntN(6) {
			case 0, 1:
				s := frame.PresenceSet{Clock: random.Uint64N(50) + uint64(step)/10, Present: random.IntN(4) > 0, Data: fmt.Append(nil, step)}
				if err := p.Set(now, id, s); err != nil {
					t.Fatal(err)
				}
				if old, ok := m.values[id]; !ok || s.Clock > old.Clock {
					m.values[id] = s
				}
				m.heard[id] = now
			case 2, 3:
				p.Heard(now, id)
				m.heard[id] = now
			case 4:
				p.Leave(now, id)
				delete(m.values, id)
			case 5:
				p.Sweep(now)
				flush()
			}
		}
		now = now.Add(limits().TTL / sweeps)
		p.Sweep(now)
		flush()
		now = now.Add(limits().Interval)
		flush()
		if want := m.visible(now); !reflect.DeepEqual(seen, want) {
			t.Fatalf("seed %d: seen %v, want %v", seed, seen, want)
		}
		all := map[string]string{}
		for _, e := range p.All("nobody") {
			all[e.Identity] = string(e.Data)
		}
		if !reflect.DeepEqual(all, seen) {
			t.Fatalf("seed %d: a newcomer sees %v, the others %v", seed, all, seen)
		}
	}
}

func TestOnlyTheNewestIsToldOnceAnInterval(t *testing.T) {
	p := New(limits())
	_ = p.Set(start, "a", value(1, "one"))
	if e := p.Flush(start); len(e) != 1 {
		t.Fatal("the first change is not told at once", e)
	}
	for n := range uint64(10) {
		_ = p.Set(start.Add(time.Millisecond), "a", value(2+n, fmt.Sprint(n)))
	}
	if e := p.Flush(start.Add(39 * time.Millisecond)); e != nil {
		t.Fatal("told too often", e)
	}
	if due, ok := p.Due(); !ok || !due.Equal(start.Add(40*time.Millisecond)) {
		t.Fatal(due, ok)
	}
	if e := p.Flush(start.Add(40 * time.Millisecond)); len(e) != 1 || string(e[0].Data) != "9" {
		t.Fatal(e)
	}
}

func TestSilenceHidesAndAnySignOfLifeShows(t *testing.T) {
	p := New(limits())
	_ = p.Set(start, "a", value(1, "x"))
	p.Flush(start)
	now := start
	for ; now.Sub(start) < 5*time.Second; now = now.Add(10 * time.Millisecond) {
		p.Sweep(now)
		if e := p.Flush(now); e != nil {
			if e[0].Present {
				t.Fatal("still there")
			}
			break
		}
	}
	if silence := now.Sub(start); silence < limits().TTL || silence >= 5*time.Second {
		t.Fatalf("hidden after %v", silence)
	}
	p.Heard(now, "a")
	if e := p.Flush(now.Add(time.Second)); len(e) != 1 || !e[0].Present || string(e[0].Data) != "x" {
		t.Fatal("not back", e)
	}
}

func TestLeavingIsForgotten(t *testing.T) {
	p := New(limits())
	_ = p.Set(start, "a", value(100, "x"))
	p.Leave(start, "a")
	p.Leave(start, "a")
	p.Flush(start)
	if len(p.members) != 0 {
		t.Fatal("kept")
	}
	if _, due := p.Due(); due {
		t.Fatal("an empty map has nothing to do")
	}
	_ = p.Set(start, "a", value(1, "again"))
	if e := p.All(""); len(e) != 1 {
		t.Fatal("the clock of the one before counts", e)
	}
}

func TestTooLarge(t *testing.T) {
	p := New(limits())
	if err := p.Set(start, "a", value(1, string(make([]byte, 101)))); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if len(p.members) != 0 {
		t.Fatal("something has changed")
	}
}

func BenchmarkSetFlush50(b *testing.B) {
	p := New(limits())
	now := start
	data := make([]byte, 100)
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	clock := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		clock++
		now = now.Add(time.Second)
		for _, id := range ids {
			_ = p.Set(now, id, frame.PresenceSet{Clock: clock, Present: true, Data: data})
		}
		p.Flush(now)
	}
}
