package forward

import (
	"testing"
	"time"
)

// publication feeds a Choice.
type publication struct {
	Choice
	now time.Time
}

// run has layers send so many bytes every 10 ms.
func (p *publication) run(d time.Duration, layers map[SourceID]int) (k Ranking) {
	for end := p.now.Add(d); p.now.Before(end); p.now = p.now.Add(10 * time.Millisecond) {
		for id := SourceID(1); id <= 9; id++ {
			if bytes := layers[id]; bytes > 0 {
				k = p.Observe(p.now, id, bytes)
			}
		}
	}
	return k
}

func TestChoiceFollowsTheHighestLayerThatArrives(t *testing.T) {
	p := publication{now: start}
	for _, c := range []struct {
		what   string
		layers map[SourceID]int
		want   SourceID
	}{
		{"one layer", map[SourceID]int{1: 100}, 1},
		{"three layers", map[SourceID]int{1: 100, 2: 400, 3: 1600}, 3},
		{"a little more is no reason to switch", map[SourceID]int{1: 100, 2: 1700, 3: 1600}, 3},
		{"the highest has stopped", map[SourceID]int{1: 100, 2: 400}, 2},
	} {
		k := p.run(2*time.Second, c.layers)
		if got := k.For(Top); got != c.want {
			t.Errorf("%s: %d", c.what, got)
		}
	}
	for id := SourceID(4); id <= 9; id++ {
		k := p.run(3*time.Second, map[SourceID]int{id: 100})
		if got := k.For(Top); got != id {
			t.Errorf("layer %d replaced all others, but %d is chosen", id, got)
		}
	}
}

func TestALayerThatIsWantedIsShownOrTheNextLowerOne(t *testing.T) {
	p := publication{now: start}
	for _, c := range []struct {
		layers map[SourceID]int
		want   [3]SourceID
	}{
		{map[SourceID]int{3: 1600, 1: 100, 2: 400}, [3]SourceID{1, 2, 3}},
		{map[SourceID]int{1: 100, 3: 1600}, [3]SourceID{1, 1, 3}},         // the middle one has stopped
		{map[SourceID]int{2: 400, 3: 1600}, [3]SourceID{2, 2, 3}},         // the lowest has
		{map[SourceID]int{1: 100}, [3]SourceID{1, 1, 1}},                  // only the lowest is left
		{map[SourceID]int{1: 100, 2: 400, 3: 1600}, [3]SourceID{1, 2, 3}}, // all come back
	} {
		k := p.run(2*time.Second, c.layers)
		for i, want := range c.want {
			if got := k.For(uint8(i)); got != want {
				t.Errorf("%v: of layer %d, %d is shown", c.layers, i, got)
			}
		}
	}
}

func TestALayerThatWasNotMeasuredIsNotSwitchedTo(t *testing.T) {
	p := publication{now: start}
	p.Observe(start, 3, 1000)
	k := p.Observe(start, 1, 100)
	if got := k.For(Top); got != 3 {
		t.Errorf("%d is shown", got)
	}
}

func TestALayerThatHasEndedIsForgotten(t *testing.T) {
	p := publication{now: start}
	p.run(time.Second, map[SourceID]int{1: 100, 2: 400, 3: 1600})
	p.Forget(1)
	p.Forget(1)
	k := p.Observe(p.now, 2, 400)
	if k.For(0) != 2 || k.For(1) != 3 {
		t.Errorf("the layers are %+v", k)
	}
	p.Forget(2)
	p.Forget(3)
	if k = p.Observe(p.now, 4, 1); k.For(0) != 4 || k.For(Top) != 4 {
		t.Errorf("the layers are %+v", k)
	}
	if k = (Ranking{}); k.For(0) != 0 || k.For(Top) != 0 {
		t.Error("there is a layer of none")
	}
}
