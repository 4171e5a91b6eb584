package forward

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/sfu/report"
)

// camera has layers with timestamps of their own, and one clock.
type camera struct {
	offsets [2]uint32
	clocks  [2]report.Clock
}

func newCamera(rng *rand.Rand) *camera {
	return &camera{
		offsets: [2]uint32{rng.Uint32(), rng.Uint32()},
		clocks:  [2]report.Clock{{Rate: 90000}, {Rate: 90000}},
	}
}

func (c *camera) at(layer int, d time.Duration) uint32 { return c.offsets[layer] + ticks(d, 90000) }

func (c *camera) report(layer int, d time.Duration) {
	c.clocks[layer].Report(report.ToNTP(start.Add(d)), c.at(layer, d))
}

// frame captured at d arrives as a key frame of one packet.
func (c *camera) frame(layer int, n uint64, d time.Duration) *In {
	in := opus(0, c.at(layer, d))
	in.N, in.Clock = n, c.clocks[layer]
	return in
}

func layerOf(layer int) Format {
	return Format{Source: SourceID(layer + 1), Group: 1, ClockRate: 90000, PayloadType: 96}
}

func TestLayersKeepTheTimeOfTheirCamera(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := newCamera(rng)
		c.report(0, time.Duration(rng.IntN(1000))*time.Millisecond)
		c.report(1, time.Duration(rng.IntN(1000))*time.Millisecond)
		r := NewRewriter(uint16(rng.Uint32()), rng.Uint32())
		r.Switch(layerOf(0))
		layer, began := 0, uint32(0)
		for i := range 200 {
			captured := time.Duration(i) * 33 * time.Millisecond
			if rng.IntN(10) == 0 {
				layer = 1 - layer
				r.Switch(layerOf(layer))
			}
			// The network delays each frame as it likes.
			now := start.Add(captured + time.Duration(rng.IntN(200))*time.Millisecond)
			_, out, v := r.Forward(now, SourceID(layer+1), c.frame(layer, uint64(1<<16+i), captured), nil)
			if v != Send {
				t.Fatalf("seed %d frame %d: verdict %d", seed, i, v)
			}
			if i == 0 {
				began = out.Timestamp
			}
			if d := int32(out.Timestamp - began - ticks(captured, 90000)); d > 20 || d < -20 { // a tick of rounding for each switch
				t.Fatalf("seed %d frame %d: %d ticks off", seed, i, d)
			}
		}
	}
}

func TestSwitchWaitsForSenderReports(t *testing.T) {
	c := newCamera(rand.New(rand.NewPCG(1, 1)))
	c.report(0, 0)
	r := NewRewriter(0, 0)
	r.Switch(layerOf(0))
	r.Forward(start, 1, c.frame(0, 1<<16, 0), nil)
	r.Switch(layerOf(1))
	if _, _, v := r.Forward(start, 2, c.frame(1, 1<<16, 33*time.Millisecond), nil); v != NoKey {
		t.Errorf("without a report: verdict %d", v)
	}
	if _, _, v := r.Forward(start, 1, c.frame(0, 1<<16+1, 33*time.Millisecond), nil); v != Send {
		t.Errorf("the old layer: verdict %d", v)
	}
	c.report(1, 0)
	if _, out, v := r.Forward(start, 2, c.frame(1, 1<<16+1, 66*time.Millisecond), nil); v != Send || out.Timestamp-ticks(66*time.Millisecond, 90000)+1 > 2 {
		t.Errorf("with a report: verdict %d, %+v", v, out)
	}
}

func TestSwitchDoesNotWaitForEver(t *testing.T) {
	c := newCamera(rand.New(rand.NewPCG(1, 1)))
	r := NewRewriter(0, 0)
	r.Switch(layerOf(0))
	r.Forward(start, 1, c.frame(0, 1<<16, 0), nil)
	r.Switch(layerOf(1))
	for i := range uint64(maxRefusals) {
		if _, _, v := r.Forward(start, 2, c.frame(1, 1<<16+i, 0), nil); v != NoKey {
			t.Errorf("key frame %d: verdict %d", i, v)
		}
	}
	if _, out, v := r.Forward(start.Add(time.Second), 2, c.frame(1, 1<<16+5, 0), nil); v != Send || out.Timestamp != 90000 {
		t.Errorf("verdict %d, %+v", v, out)
	}
}

func TestFramesOfThePastAreNotShownAgain(t *testing.T) {
	for behind, want := range map[time.Duration]Verdict{40 * time.Millisecond: Send, 60 * time.Millisecond: NoKey} {
		c := newCamera(rand.New(rand.NewPCG(1, 1)))
		c.report(0, 0)
		c.report(1, 0)
		r := NewRewriter(0, 0)
		r.Switch(layerOf(0))
		r.Forward(start, 1, c.frame(0, 1<<16, time.Second), nil)
		r.Switch(layerOf(1))
		_, out, v := r.Forward(start, 2, c.frame(1, 1<<16, time.Second-behind), nil)
		if v != want || v == Send && out.Timestamp != 1 {
			t.Errorf("%v behind: verdict %d, %+v", behind, v, out)
		}
	}
}

func TestReportsThatAreFarOffAreNotBelieved(t *testing.T) {
	c := newCamera(rand.New(rand.NewPCG(1, 1)))
	c.report(0, 0)
	c.clocks[1].Report(report.ToNTP(start.Add(time.Hour)), c.at(1, 0))
	r := NewRewriter(0, 0)
	r.Switch(layerOf(0))
	r.Forward(start, 1, c.frame(0, 1<<16, 0), nil)
	r.Switch(layerOf(1))
	if _, _, v := r.Forward(start, 2, c.frame(1, 1<<16, 0), nil); v != NoKey {
		t.Errorf("verdict %d", v)
	}
}
