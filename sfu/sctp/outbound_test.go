package sctp

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

func (r *raw) say(stream uint16, text string, how Reliability) {
	r.t.Helper()
	if err := r.a.Send(r.now, stream, 53, []byte(text), how); err != nil {
		r.t.Fatal(err)
	}
}

// sent are the numbers and texts of the data in the packets that are ready.
func (r *raw) sent() (numbers []tsn, texts []string) {
	for cs := r.chunks(); cs != nil; cs = r.chunks() {
		for _, c := range cs {
			if c.kind == typeData {
				p, _ := parseData(c)
				numbers = append(numbers, p.tsn)
				texts = append(texts, string(p.data))
			}
		}
	}
	return numbers, texts
}

func TestMessagesShareAPacket(t *testing.T) {
	r := newRaw(t, Config{})
	for range 5 {
		r.say(1, "hello", Reliability{})
	}
	if cs := r.chunks(); len(cs) != 5 {
		t.Errorf("%d chunks in the packet", len(cs))
	}
}

func TestStreamsTakeTurns(t *testing.T) {
	r := newRaw(t, Config{})
	long := strings.Repeat("x", 2000)
	r.say(1, long, Reliability{})
	r.say(1, long, Reliability{})
	r.say(2, "a", Reliability{})
	r.say(2, "b", Reliability{})
	r.say(3, "c", Reliability{})
	_, texts := r.sent()
	var short []string
	for _, s := range texts {
		if len(s) > 1 {
			s = "x"
		}
		short = append(short, s)
	}
	if got := strings.Join(short, ""); got != "xxacxxb" {
		t.Errorf("%s", got)
	}
}

func TestTheFirstWindowIsTenPackets(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, strings.Repeat("x", 100000), Reliability{})
	numbers, _ := r.sent()
	if len(numbers) != firstWindow+1 { // the window counts whole packets, and the last may go beyond
		t.Fatalf("%d packets", len(numbers))
	}
	r.send(sack(numbers[1]+1, 1<<20))
	if more, _ := r.sent(); len(more) != 4 { // two for those that have arrived, two for growth
		t.Errorf("%d packets after a report of two", len(more))
	}
}

func TestWhatThreeReportsMissIsSentAgainAtOnce(t *testing.T) {
	r := newRaw(t, Config{})
	var first tsn
	for i := range 6 {
		r.say(1, string(rune('a'+i)), Reliability{})
		numbers, _ := r.sent()
		if i == 0 {
			first = numbers[0]
		}
	}
	window := r.a.out.congestion.window
	for i := range uint16(3) {
		if _, again := r.sent(); again != nil {
			t.Fatalf("%v after %d reports", again, i)
		}
		r.send(sack(first, 1<<20, 2, 2+i))
	}
	if numbers, texts := r.sent(); len(texts) != 1 || texts[0] != "a" || numbers[0] != first {
		t.Fatalf("%v, %v", numbers, texts)
	}
	if got := r.a.out.congestion.window; got != window/2 {
		t.Errorf("the window is %d, was %d", got, window)
	}
	// what is sent again can be lost again
	for i := range 4 {
		r.say(1, string(rune('g'+i)), Reliability{})
		r.sent()
	}
	for i := range uint16(3) {
		r.send(sack(first, 1<<20, 2, 7+i))
	}
	if _, texts := r.sent(); len(texts) != 1 || texts[0] != "a" {
		t.Errorf("%v", texts)
	}
	if got := r.a.out.congestion.window; got != window/2 {
		t.Errorf("the window is %d after the second loss in one flight", got)
	}
}

func TestAMessageWithoutReportIsSentAgainLaterAndLater(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	r.sent()
	var waits []time.Duration
	for {
		due, ok := r.a.Due()
		if !ok {
			break
		}
		waits = append(waits, due.Sub(r.now))
		r.now = due
		if _, texts := r.sent(); !r.a.open() {
			break
		} else if len(texts) != 1 || texts[0] != "a" {
			t.Fatalf("%v at %v", texts, due)
		}
	}
	if err := r.ended(); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
	if len(waits) != mostTimeouts+1 || waits[0] != firstTimeout || waits[1] != 2*firstTimeout || waits[mostTimeouts] != mostTimeout {
		t.Errorf("%v", waits)
	}
}

func TestAPeerWithoutRoomIsAskedNowAndThen(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	numbers, _ := r.sent()
	r.send(sack(numbers[0]+1, 0))
	r.say(1, "b", Reliability{})
	r.say(1, "c", Reliability{})
	if _, texts := r.sent(); texts != nil {
		t.Fatalf("%v though there is no room", texts)
	}
	due, ok := r.a.Due()
	if !ok || !due.After(r.now) {
		t.Fatalf("due %v", due)
	}
	r.now = due
	numbers, texts := r.sent()
	if len(texts) != 1 || texts[0] != "b" {
		t.Fatalf("%v", texts)
	}
	for range 2 * mostTimeouts { // a peer that answers is there, however long it has no room
		r.send(sack(numbers[0], 0))
		due, ok := r.a.Due()
		if !ok {
			t.Fatal("nothing is due")
		}
		r.now = due
		if _, texts := r.sent(); len(texts) != 1 || texts[0] != "b" {
			t.Fatalf("%v", texts)
		}
	}
	r.send(sack(numbers[0]+1, 1000))
	if _, texts := r.sent(); len(texts) != 1 || texts[0] != "c" {
		t.Errorf("%v", texts)
	}
}

func TestTheBufferIsBounded(t *testing.T) {
	r := newRaw(t, Config{Buffer: 20000})
	n := 0
	for ; r.a.Send(r.now, 1, 53, make([]byte, 100), Reliability{}) == nil; n++ {
		if n > 100 {
			t.Fatal("there is no end")
		}
	}
	if n != 20000/cost(100) {
		t.Errorf("%d messages", n)
	}
	if err := r.a.Send(r.now, 1, 53, make([]byte, 100), Reliability{}); !errors.Is(err, ErrBuffer) {
		t.Error(err)
	}
	if got := r.a.Buffered(1); got != 100*n {
		t.Errorf("%d bytes are buffered", got)
	}
	numbers, _ := r.sent()
	r.send(sack(numbers[len(numbers)-1]+1, 1<<20))
	if got := r.a.Buffered(1); got != 0 {
		t.Errorf("%d bytes are buffered when all has arrived", got)
	}
	if err := r.a.Send(r.now, 1, 53, nil, Reliability{}); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}

func TestWhatIsGivenUpIsTold(t *testing.T) {
	for name, how := range map[string]Reliability{"once": {Limited: true}, "300 ms": {Lifetime: 300 * time.Millisecond}} {
		r := newRaw(t, Config{})
		r.say(1, "a", how)
		r.say(2, strings.Repeat("b", 2000), how)
		numbers, _ := r.sent()
		r.now, _ = r.a.Due()
		b := r.one(typeForward).value
		if want := skip(numbers[2], 1, 0, 2, 0)[chunkHeader:]; string(b) != string(want) {
			t.Errorf("%s: %x, want %x", name, b, want)
		}
		if got := r.a.Buffered(1) + r.a.Buffered(2); got != 0 {
			t.Errorf("%s: %d bytes are still buffered", name, got)
		}
		r.now, _ = r.a.Due() // it may get lost, too
		r.one(typeForward)
		r.send(sack(numbers[2]+1, 1<<20))
		if due, ok := r.a.Due(); ok {
			t.Errorf("%s: due %v", name, due)
		}
	}
}

func TestWhatIsTooLateIsNotSentAtAll(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(sack(r.a.out.flight.base, 0))
	r.say(1, "a", Reliability{Lifetime: time.Second})
	r.say(1, "b", Reliability{})
	r.now = r.now.Add(2 * time.Second)
	r.send(sack(r.a.out.flight.base, 1000))
	if _, texts := r.sent(); len(texts) != 1 || texts[0] != "b" {
		t.Errorf("%v", texts)
	}
	if r.a.out.flight.at(0).ssn != 0 {
		t.Error("a number was spent on what was not sent")
	}
}

func TestAMessageGivenUpInTheMiddleIsEnded(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, strings.Repeat("a", 50000), Reliability{Lifetime: time.Second})
	r.say(1, "b", Reliability{})
	numbers, _ := r.sent()
	last := numbers[len(numbers)-1]
	r.now = r.now.Add(time.Minute)
	r.send(sack(last+1, 1<<20)) // all that was sent has arrived, the rest comes too late
	next, texts := r.sent()
	if len(texts) != 1 || texts[0] != "b" || next[0] != last+2 {
		t.Fatalf("%v %v", next, texts)
	}
	r.now, _ = r.a.Due()
	b := r.one(typeForward).value
	if want := skip(last+1, 1, 0)[chunkHeader:]; string(b) != string(want) {
		t.Errorf("%x, want %x", b, want)
	}
}

func TestAPeerThatDropsWhatItHadGetsItAgain(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	first, _ := r.sent()
	r.say(1, "b", Reliability{})
	r.sent()
	r.send(sack(first[0], 1<<20, 2, 2))
	r.now, _ = r.a.Due()
	if _, texts := r.sent(); strings.Join(texts, "") != "a" {
		t.Fatalf("%v", texts)
	}
	r.now, _ = r.a.Due()
	r.chunks()
	if _, texts := r.sent(); r.a.out.flight.at(1).fate == acked {
		t.Errorf("the peer is believed to have %v", texts)
	}
}

func TestReportsThatCannotBeAreIgnored(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	n, _ := r.sent()
	for _, s := range [][]byte{
		sack(n[0]+2, 1<<20), sack(n[0]-1, 1<<20), sack(n[0], 1<<20, 1, 9), sack(n[0], 1<<20, 0, 0), sack(n[0], 1<<20, 1, 0),
		sack(n[0], 1<<20)[:12], appendChunk(nil, typeShutdown, 0, []byte{1}),
	} {
		r.send(s)
		if r.a.Buffered(1) != 1 || r.a.out.flying != 1 {
			t.Errorf("%x was believed", s)
		}
	}
	bad := sack(n[0], 1<<20)
	binary.BigEndian.PutUint16(bad[12:], 9999) // more blocks than there are bytes
	r.send(bad)
	r.send(sack(n[0]+1, 1<<20))
	if r.a.Buffered(1) != 0 {
		t.Error("a good report was not understood")
	}
}

func TestAStreamIsResetWhenItsDataHasArrived(t *testing.T) {
	r := newRaw(t, Config{})
	first := uint32(r.a.out.flight.base)
	r.say(3, "a", Reliability{})
	r.a.Reset(3)
	r.a.Reset(3)
	n, _ := r.sent()
	r.none(typeReconfig)
	r.send(sack(n[0]+1, 1<<20))
	b := r.one(typeReconfig).value
	if binary.BigEndian.Uint32(b[4:]) != first || tsn(binary.BigEndian.Uint32(b[12:])) != n[0] || binary.BigEndian.Uint16(b[16:]) != 3 || len(b) != 18 {
		t.Errorf("%x", b)
	}
	r.now, _ = r.a.Due()
	if again := r.one(typeReconfig).value; string(again[4:8]) != string(b[4:8]) {
		t.Errorf("repeated as %x", again)
	}
	r.send(resetResponse(first, resultInProgress))
	r.now, _ = r.a.Due()
	if again := r.one(typeReconfig).value; binary.BigEndian.Uint32(again[4:]) != first+1 {
		t.Errorf("asked again as %x", again)
	}
	r.send(resetResponse(first, resultPerformed))
	if due, ok := r.a.Due(); ok {
		t.Errorf("due %v", due)
	}
	r.say(3, "new", Reliability{})
	r.sent()
	if c := r.a.out.flight.at(0); c.ssn != 0 {
		t.Errorf("the new stream begins with %d", c.ssn)
	}
	r.a.Reset(4) // one never used
	if b := r.one(typeReconfig).value; binary.BigEndian.Uint32(b[4:]) != first+2 || binary.BigEndian.Uint16(b[16:]) != 4 {
		t.Errorf("%x", b)
	}
	r.send(resetResponse(first+2, resultDenied))
	r.say(4, "x", Reliability{})
}

func TestTheTimeoutFollowsTheRoundTrip(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	n, _ := r.sent()
	r.now = r.now.Add(450 * time.Millisecond)
	r.send(sack(n[0]+1, 1<<20))
	if got := r.a.out.clock.timeout; got != 450*time.Millisecond+4*225*time.Millisecond { // RFC 9260 §6.3.1, C2
		t.Errorf("%v", got)
	}
	r.say(1, "b", Reliability{})
	n, _ = r.sent()
	r.now, _ = r.a.Due()
	r.sent()
	r.now = r.now.Add(time.Millisecond)
	r.send(sack(n[0]+1, 1<<20)) // for the first or the second sending?
	if got := r.a.out.clock.smoothed; got != 450*time.Millisecond {
		t.Errorf("a round trip of %v was learned from what was sent twice", got)
	}
}

func TestAfterATimeoutOnePacketGoesFirst(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, strings.Repeat("a", 9000), Reliability{})
	n, _ := r.sent()
	r.now, _ = r.a.Due()
	again, _ := r.sent()
	if len(again) != 2 || again[0] != n[0] { // less than a window is in flight, and the last may go beyond
		t.Fatalf("%v", again)
	}
	if got := r.a.out.congestion.window; got != r.a.cfg.MaxPacket {
		t.Errorf("the window is %d", got)
	}
	r.send(sack(n[1]+1, 1<<20))
	if more, _ := r.sent(); len(more) < 2 {
		t.Errorf("%v", more)
	}
}

func TestALargeWindowIsForgottenInSilence(t *testing.T) {
	r := newRaw(t, Config{})
	first := r.a.out.congestion.window
	for range 20 {
		r.say(1, strings.Repeat("a", 50000), Reliability{})
		for numbers, _ := r.sent(); len(numbers) > 0; numbers, _ = r.sent() {
			r.now = r.now.Add(10 * time.Millisecond)
			r.send(sack(numbers[len(numbers)-1]+1, 1<<20))
		}
	}
	large := r.a.out.congestion.window
	r.say(1, "a", Reliability{})
	n, _ := r.sent()
	if got := r.a.out.congestion.window; large < 4*first || got != large {
		t.Fatalf("%d, then %d, at first %d", large, got, first)
	}
	r.send(sack(n[0]+1, 1<<20))
	r.now = r.now.Add(time.Minute)
	r.say(1, "a", Reliability{})
	r.sent()
	if got := r.a.out.congestion.window; got != first {
		t.Errorf("%d after a minute, at first %d", got, first)
	}
}

func TestALostWordOfGivingUpIsSaidAgain(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{Limited: true})
	n, _ := r.sent()
	for range 3 {
		r.say(1, "b", Reliability{})
		r.sent()
	}
	for i := range uint16(3) {
		r.none(typeForward)
		r.send(sack(n[0], 1<<20, 2, 2+i))
	}
	r.one(typeForward)
	r.send(sack(n[0], 1<<20, 2, 4)) // says nothing new
	r.none(typeForward)
	r.say(1, "c", Reliability{})
	r.sent()
	r.send(sack(n[0], 1<<20, 2, 5)) // what was sent after it has arrived, so it has not
	r.one(typeForward)
}

func TestTheMessageAfterOneGivenUpHasTheNextNumber(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, strings.Repeat("a", 50000), Reliability{Lifetime: time.Second})
	n, _ := r.sent()
	r.now = r.now.Add(time.Minute)
	r.send(sack(n[len(n)-1]+1, 1<<20))
	r.say(1, "b", Reliability{})
	r.sent()
	if c := r.a.out.flight.at(r.a.out.flight.n - 1); c.ssn != 1 {
		t.Errorf("number %d", c.ssn)
	}
}

func TestATimerForAPeerWithoutRoomIsNotThatOfWhatIsSentLater(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(sack(r.a.out.flight.base, 0))
	r.say(1, "a", Reliability{})
	r.chunks()
	blocked, _ := r.a.Due()
	r.now = blocked.Add(-time.Millisecond)
	r.send(sack(r.a.out.flight.base, 1000))
	if _, texts := r.sent(); len(texts) != 1 {
		t.Fatal(texts)
	}
	if due, _ := r.a.Due(); due.Before(r.now.Add(leastTimeout)) {
		t.Errorf("taken for lost after %v", due.Sub(r.now))
	}
}

func TestAPeerThatCannotBeToldGetsEverything(t *testing.T) {
	r := newRaw(t, Config{})
	r.a.out.forward.known = false
	r.say(1, "a", Reliability{Limited: true, Lifetime: time.Millisecond})
	for range 3 {
		if _, texts := r.sent(); len(texts) != 1 {
			t.Fatal(texts)
		}
		r.now, _ = r.a.Due()
	}
	r.none(typeForward)
}
