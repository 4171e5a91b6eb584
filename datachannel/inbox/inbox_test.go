package inbox

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

var start = time.Unix(1_700_000_000, 0)

func limits() Limits {
	return Limits{MessageBytes: 100_000, Rate: 10, Burst: 20, RateBytes: 1 << 20, BurstBytes: 1 << 20}
}

func TestFragmentsOfManyFramesAreSortedOut(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	i := New(limits())
	whole := map[uint64][]byte{}
	sent := map[uint64]int{}
	for id := range uint64(5) {
		b := make([]byte, 1+random.IntN(30_000))
		for k := range b {
			b[k] = byte(random.Uint32())
		}
		whole[id+1] = b
	}
	for len(whole) > 0 {
		id := 1 + random.Uint64N(5)
		b, ok := whole[id]
		if !ok {
			continue
		}
		n := min(1+random.IntN(5000), len(b)-sent[id])
		got, err := i.Fragment(start, frame.Fragment{ID: id, Offset: uint64(sent[id]), Total: uint64(len(b)), Data: b[sent[id] : sent[id]+n]})
		if err != nil {
			t.Fatal(err)
		}
		sent[id] += n
		if done := sent[id] == len(b); done != (got != nil) || done && !bytes.Equal(got, b) {
			t.Fatalf("frame %d: %d of %d bytes sent, got %d", id, sent[id], len(b), len(got))
		}
		if got != nil {
			delete(whole, id)
		}
	}
	if i.declared != 0 || len(i.underWay) != 0 {
		t.Fatal("something is left")
	}
}

func TestWrongFragmentsAreRefused(t *testing.T) {
	one := func(id, offset, total uint64) frame.Fragment {
		return frame.Fragment{ID: id, Offset: offset, Total: total, Data: []byte{1}}
	}
	for name, c := range map[string]struct {
		first []frame.Fragment
		last  frame.Fragment
		want  error
	}{
		"hole":                  {[]frame.Fragment{one(1, 0, 9)}, one(1, 2, 9), ErrFragment},
		"again":                 {[]frame.Fragment{one(1, 0, 9)}, one(1, 0, 9), ErrFragment},
		"another total":         {[]frame.Fragment{one(1, 0, 9)}, one(1, 1, 8), ErrFragment},
		"too large":             {nil, one(1, 0, 100_000+FrameSlack+1), ErrTooLarge},
		"too large by far":      {nil, one(1, 0, frame.MaxNumber), ErrTooLarge},
		"too much at once":      {[]frame.Fragment{one(1, 0, 150_000), one(2, 0, 150_000)}, one(3, 0, 150_000), ErrFragment},
		"rest of a refused one": {nil, one(1, 5, 9), nil},
	} {
		i := New(limits())
		for _, f := range c.first {
			if _, err := i.Fragment(start, f); err != nil {
				t.Fatal(name, err)
			}
		}
		if _, err := i.Fragment(start, c.last); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestNinthFrameUnderWayIsRefused(t *testing.T) {
	i := New(limits())
	for id := range uint64(MaxUnderWay) {
		if _, err := i.Fragment(start, frame.Fragment{ID: id + 1, Total: 2, Data: []byte{1}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := i.Fragment(start, frame.Fragment{ID: 99, Total: 2, Data: []byte{1}}); !errors.Is(err, ErrFragment) {
		t.Fatal(err)
	}
	if _, err := i.Fragment(start, frame.Fragment{ID: 1, Offset: 1, Total: 2, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Fragment(start, frame.Fragment{ID: 99, Total: 2, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
}

func TestDeclaredSizeCostsNoMemory(t *testing.T) {
	i := New(limits())
	if _, err := i.Fragment(start, frame.Fragment{ID: 1, Total: 100_000, Data: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	if n := cap(i.underWay[1].data); n > 64 {
		t.Fatalf("%d bytes for 1", n)
	}
}

func TestRate(t *testing.T) {
	i := New(limits())
	for range 20 {
		if err := i.Message(start, 10); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Message(start, 10); !errors.Is(err, ErrRate) {
		t.Fatal(err)
	}
	if err := i.Message(start.Add(100*time.Millisecond), 10); err != nil {
		t.Fatal(err)
	}
	later := start.Add(time.Hour)
	if err := i.Malformed(later); err != nil {
		t.Fatal(err)
	}
	if err := i.Malformed(later); err != nil {
		t.Fatal(err)
	}
	if err := i.Malformed(later); !errors.Is(err, ErrRate) {
		t.Fatal("a malformed frame costs less than ten messages")
	}
	if err := i.Message(later.Add(time.Hour), 1<<20+1); !errors.Is(err, ErrRate) {
		t.Fatal("bytes are not charged")
	}
}

func TestWhatIsIgnoredIsChargedToo(t *testing.T) {
	i := New(limits())
	f := frame.Fragment{ID: 1, Offset: 5, Total: 1 << 17, Data: make([]byte, 1<<16)}
	for range 16 {
		if _, err := i.Fragment(start, f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := i.Fragment(start, f); !errors.Is(err, ErrRate) {
		t.Fatal(err)
	}
}

func TestAcknowledgementIsDueAfterFramesOrBytesOrTime(t *testing.T) {
	i := New(limits())
	if _, due := i.AckDue(); due {
		t.Fatal("nothing came")
	}
	i.Count(start, 10)
	i.Count(start.Add(time.Second/2), 10)
	if at, due := i.AckDue(); !due || !at.Equal(start.Add(AckDelay)) {
		t.Fatal(at, due)
	}
	for range 62 {
		i.Count(start, 10)
	}
	if at, _ := i.AckDue(); !at.Equal(start) {
		t.Fatal("64 frames wait")
	}
	i.Acked()
	if _, due := i.AckDue(); due || i.Received() != 64 {
		t.Fatal("told already")
	}
	i.Count(start, 64<<10)
	if at, _ := i.AckDue(); !at.Equal(start) {
		t.Fatal("64 KiB wait")
	}
}

func FuzzFragment(f *testing.F) {
	f.Add([]byte{1, 0, 5, 2, 1, 2, 5, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		i := New(Limits{MessageBytes: 100, Rate: 1e9, Burst: 1e9, RateBytes: 1e9, BurstBytes: 1e9})
		for ; len(b) >= 4; b = b[4:] {
			_, _ = i.Fragment(start, frame.Fragment{ID: uint64(b[0]), Offset: uint64(b[1]), Total: uint64(b[2]) << 10, Data: make([]byte, b[3])})
			held := 0
			for _, p := range i.underWay {
				held += cap(p.data)
			}
			if held > 4*(100+FrameSlack)+MaxUnderWay*256 {
				t.Fatalf("%d bytes held", held)
			}
		}
	})
}
