package sctp

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOrderedMessagesWaitForTheirTurnAndUnorderedDoNot(t *testing.T) {
	r := newRaw(t, Config{})
	n := r.tsn
	r.send(data(n+1, 1, 1, whole, "b"), data(n+2, 1, 0, whole|flagUnordered, "u"), data(n+3, 2, 0, whole, "other"))
	if got := r.texts(); got != "u other " {
		t.Errorf("%q", got)
	}
	r.send(data(n, 1, 0, whole, "a"))
	if got := r.texts(); got != "a b " {
		t.Errorf("%q", got)
	}
}

func TestPiecesMakeAMessageWhateverTheirOrder(t *testing.T) {
	orders := [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 3, 0, 2}, {0, 3, 1, 2}}
	for _, order := range orders {
		for _, unordered := range []uint8{0, flagUnordered} {
			r := newRaw(t, Config{})
			pieces := [][]byte{
				data(r.tsn, 1, 0, unordered|flagBegin, "one "), data(r.tsn+1, 1, 0, unordered, "two "),
				data(r.tsn+2, 1, 0, unordered|flagEnd, "three"), data(r.tsn+3, 1, 1, whole|unordered, "four"),
			}
			for _, i := range order {
				r.send(pieces[i])
				r.send(pieces[i])
			}
			got := r.texts()
			if got != "one two three four " && (unordered == 0 || got != "four one two three ") {
				t.Errorf("%v: %q", order, got)
			}
			if r.a.in.assembly.used != 0 || r.a.in.assembly.runs != nil {
				t.Errorf("%v: something is left", order)
			}
		}
	}
}

func TestAReportSaysWhatIsMissingAndWhatCameTwice(t *testing.T) {
	r := newRaw(t, Config{})
	n := r.tsn
	r.send(data(n, 1, 0, whole, "a"), data(n+2, 1, 2, whole, "c"), data(n+3, 1, 3, whole, "d"), data(n+6, 1, 6, whole, "g"), data(n+2, 1, 2, whole, "c"))
	b := r.one(typeSack).value
	want := sack(n+1, binary.BigEndian.Uint32(b[4:]), 2, 3, 6, 6)[chunkHeader:]
	binary.BigEndian.PutUint16(want[10:], 1)
	want = binary.BigEndian.AppendUint32(want, uint32(n+2))
	if string(b) != string(want) {
		t.Errorf("%x, want %x", b, want)
	}
	r.send(data(n+1, 1, 1, whole, "b"))
	if b := r.one(typeSack).value; tsn(binary.BigEndian.Uint32(b)) != n+3 || b[9] != 1 || b[11] != 0 {
		t.Errorf("%x after the hole was filled", b)
	}
}

func TestOnePacketIsReportedLaterAndTheSecondAtOnce(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(data(r.tsn, 1, 0, whole, "a"))
	r.none(typeSack)
	due, ok := r.a.Due()
	if !ok || due != r.now.Add(holdBack) {
		t.Fatalf("due %v", due)
	}
	r.now = due
	r.one(typeSack)
	if due, ok := r.a.Due(); ok {
		t.Errorf("due %v though all is reported", due)
	}
	r.send(data(r.tsn+1, 1, 1, whole, "b"))
	r.send(data(r.tsn+2, 1, 2, whole, "c"))
	r.one(typeSack)
	r.send(data(r.tsn+3, 1, 3, whole|flagNow, "d"))
	r.one(typeSack)
}

func TestAReportGoesAlongWithData(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(data(r.tsn, 1, 0, whole, "a"))
	if err := r.a.Send(r.now, 1, 53, []byte("answer"), Reliability{}); err != nil {
		t.Fatal(err)
	}
	if cs := r.chunks(); len(cs) != 2 || cs[0].kind != typeSack || cs[1].kind != typeData {
		t.Errorf("%d chunks", len(cs))
	}
}

func TestTheWindowClosesAndOpensAgain(t *testing.T) {
	r := newRaw(t, Config{Window: 20000, MaxMessage: 1000})
	body := strings.Repeat("x", 1000)
	n := 0
	room := func() uint32 { return binary.BigEndian.Uint32(r.one(typeSack).value[4:]) }
	for last := uint32(20000); last > 0; n++ {
		r.send(data(r.tsn+tsn(n), 1, uint16(n), whole|flagNow, body))
		got := room()
		if got >= last {
			t.Fatalf("room for %d after %d", got, last)
		}
		last = got
	}
	for range 100 { // whatever it is told
		r.send(data(r.tsn+tsn(n), 1, uint16(n), whole|flagNow, body))
		n++
	}
	if used := r.a.in.assembly.used; used > 40000 {
		t.Errorf("%d bytes are kept", used)
	}
	r.chunks()
	for e, ok := r.a.Next(); ok; e, ok = r.a.Next() {
		r.a.Taken(len(e.(Message).Data))
	}
	if got := room(); got != 20000 {
		t.Errorf("room for %d when all is taken", got)
	}
}

func TestMessagesThatAreTooLongEndTheAssociation(t *testing.T) {
	r := newRaw(t, Config{MaxMessage: 1000})
	r.send(data(r.tsn, 1, 0, whole, strings.Repeat("x", 1001)))
	if err := r.ended(); !errors.Is(err, ErrMessage) {
		t.Error(err)
	}
	r = newRaw(t, Config{MaxMessage: 1000})
	r.send(data(r.tsn, 1, 0, flagBegin, strings.Repeat("x", 600)))
	r.send(data(r.tsn+1, 1, 0, 0, strings.Repeat("x", 600)))
	if err := r.ended(); !errors.Is(err, ErrMessage) {
		t.Error(err)
	}
	r.one(typeAbort)
	r.none(typeAbort)
	if err := r.a.Send(r.now, 1, 53, []byte("x"), Reliability{}); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
}

func TestPiecesThatDoNotFitTogetherEndTheAssociation(t *testing.T) {
	for name, chunks := range map[string][][]byte{
		"no bytes":          {data(0, 1, 0, whole, "")},
		"another stream":    {data(0, 1, 0, flagBegin, "a"), data(1, 2, 0, flagEnd, "b")},
		"another message":   {data(0, 1, 0, flagBegin, "a"), data(1, 1, 1, flagEnd, "b")},
		"another kind":      {data(1, 1, 0, flagEnd, "b"), data(0, 1, 0, flagBegin|flagUnordered, "a")},
		"after the end":     {data(2, 1, 0, flagEnd, "a"), data(3, 1, 0, 0, "b")},
		"the end before it": {data(3, 1, 0, 0, "b"), data(2, 1, 0, whole, "a")},
	} {
		r := newRaw(t, Config{})
		for _, c := range chunks {
			n := binary.BigEndian.Uint32(c[chunkHeader:])
			binary.BigEndian.PutUint32(c[chunkHeader:], n+uint32(r.tsn))
			r.send(c)
		}
		if r.a.state != aborting {
			t.Errorf("%s: it goes on", name)
		} else if err := r.ended(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatThePeerGivesUpIsNotWaitedFor(t *testing.T) {
	r := newRaw(t, Config{})
	n := r.tsn
	r.send(data(n+1, 1, 1, whole, "b"), data(n+2, 1, 2, flagBegin, "half"), data(n+4, 1, 3, whole, "d"), data(n+5, 2, 5, whole, "far"))
	if got := r.texts(); got != "" {
		t.Fatalf("%q", got)
	}
	r.send(skip(n+3, 1, 2))
	if got := r.texts(); got != "b d " {
		t.Errorf("%q", got)
	}
	if b := r.one(typeSack).value; tsn(binary.BigEndian.Uint32(b)) != n+5 {
		t.Errorf("%x", b)
	}
	r.send(data(n+2, 1, 2, flagBegin, "late"), data(n+6, 1, 4, whole, "e"))
	if got := r.texts(); got != "e " {
		t.Errorf("%q", got)
	}
	r.send(skip(n+10, 2, 4))
	if got := r.texts(); got != "far " {
		t.Errorf("%q", got)
	}
	if r.a.in.assembly.used != 0 {
		t.Errorf("%d bytes are kept", r.a.in.assembly.used)
	}
}

func TestThePeersResetWaitsForItsData(t *testing.T) {
	r := newRaw(t, Config{})
	n := r.tsn
	number := uint32(n)
	r.send(data(n+1, 3, 1, whole, "b"), resetRequest(number, n+1, 3))
	if b := r.one(typeReconfig).value; binary.BigEndian.Uint32(b[8:]) != resultInProgress {
		t.Errorf("%x", b)
	}
	r.send(data(n+2, 3, 0, whole, "new")) // of the next use, too early: it will come again
	r.send(resetRequest(number+1, n+1, 3))
	r.chunks()
	r.send(resetRequest(number, n+1, 3)) // late
	if b := r.one(typeReconfig).value; binary.BigEndian.Uint32(b[8:]) != resultInProgress {
		t.Errorf("%x", b)
	}
	r.send(data(n, 3, 0, whole, "a"), resetRequest(number+2, n+1, 3))
	var order []string
	for e, ok := r.a.Next(); ok; e, ok = r.a.Next() {
		switch e := e.(type) {
		case Message:
			order = append(order, string(e.Data))
		case StreamReset:
			order = append(order, "reset")
		case Established, Ended:
			t.Fatal(e)
		}
	}
	if got := strings.Join(order, " "); got != "a b reset" {
		t.Errorf("%q", got)
	}
	r.chunks()
	r.send(resetRequest(number+2, n+1, 3), data(n+2, 3, 0, whole, "new"))
	if b := r.one(typeReconfig).value; binary.BigEndian.Uint32(b[8:]) != resultPerformed {
		t.Errorf("%x", b)
	}
	if got := r.texts(); got != "new " {
		t.Errorf("%q", got)
	}
}

func TestAnOldResetIsNotDoneAgain(t *testing.T) {
	r := newRaw(t, Config{})
	number := uint32(r.tsn)
	r.send(data(r.tsn, 3, 0, whole, "a"), resetRequest(number, r.tsn, 3), data(r.tsn+1, 3, 0, whole, "b"))
	if got := r.texts(); got != "a b " {
		t.Errorf("%q", got)
	}
	r.send(resetRequest(number, r.tsn, 3), resetRequest(number+7, r.tsn+1, 3), data(r.tsn+2, 3, 1, whole, "c"))
	if got := r.texts(); got != "c " {
		t.Errorf("%q", got)
	}
}

func TestOneStreamTooManyIsRefusedAndTheOthersGoOn(t *testing.T) {
	r := newRaw(t, Config{Streams: 2})
	r.send(data(r.tsn, 1, 0, whole, "a"), data(r.tsn+1, 2, 0, whole, "b"), data(r.tsn+2, 3, 0, whole, "c"), data(r.tsn+3, 1, 1, whole, "d"))
	if got := r.texts(); got != "a b d " {
		t.Errorf("%q", got)
	}
	if b := r.one(typeError).value; binary.BigEndian.Uint16(b) != causeStream || b[5] != 3 {
		t.Errorf("%x", b)
	}
	if d := r.a.Drops(); d != (Drops{Streams: 1}) {
		t.Errorf("%+v", d)
	}
	for i := range uint16(2) {
		if err := r.a.Send(r.now, i, 53, []byte("x"), Reliability{}); err != nil {
			t.Error(err)
		}
	}
	if err := r.a.Send(r.now, 2, 53, []byte("x"), Reliability{}); !errors.Is(err, ErrStreams) {
		t.Error(err)
	}
}

func TestAPeerCannotMakeUsKeepMuch(t *testing.T) {
	const window = 100 << 10
	r := newRaw(t, Config{Window: window, MaxMessage: 10 << 10})
	n := r.tsn
	for i := tsn(1); i < 100000; i += 2 { // pieces of a byte, each an island
		r.send(data(n+i, uint16(i), 0, flagBegin, "x"))
	}
	for i := range tsn(20000) { // messages that never get their turn
		r.send(data(n+i, 1, uint16(i)+2, whole, "x"))
	}
	a := &r.a.in
	if a.assembly.used > 2*window || len(a.spans) > mostSpans || len(a.ack.dups) > mostDups || len(a.assembly.runs) > mostRuns || len(a.assembly.streams) > DefaultStreams {
		t.Errorf("%d bytes, %d spans, %d dups, %d runs, %d streams", a.assembly.used, len(a.spans), len(a.ack.dups), len(a.assembly.runs), len(a.assembly.streams))
	}
	for i := range uint32(1000) {
		r.send(resetRequest(uint32(n)+i, n+1<<30, 1, 2, 3, uint16(i)))
		r.send(appendChunk(nil, typeHeartbeat, 0, make([]byte, 1000)))
	}
	if len(r.a.resets.deferred) > mostDeferred || len(r.a.replies) > r.a.cfg.MaxPacket {
		t.Errorf("%d resets, %d bytes of replies", len(r.a.resets.deferred), len(r.a.replies))
	}
	r.now = r.now.Add(time.Second)
	for range 10 {
		r.chunks()
	}
}

func TestTheRestOfWhatWasGivenUpIsNotKept(t *testing.T) {
	r := newRaw(t, Config{})
	n := r.tsn
	r.send(data(n+2, 1, 0, 0, "middle"))
	r.send(skip(n+1, 1, 0))
	if used := r.a.in.assembly.used; used != 0 {
		t.Errorf("%d bytes are kept of the middle", used)
	}
	r.send(data(n+3, 1, 0, 0, "more"), data(n+4, 1, 0, flagEnd, "end"))
	if used := r.a.in.assembly.used; used != 0 {
		t.Errorf("%d bytes are kept of the end", used)
	}
	r.send(data(n+5, 1, 1, whole, "next"))
	if got := r.texts(); got != "next " {
		t.Errorf("%q", got)
	}
}

func TestANumberUsedTwiceIsOneMessage(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(data(r.tsn+1, 1, 1, whole, "b"), data(r.tsn+2, 1, 1, whole, "c"), data(r.tsn, 1, 0, whole, "a"), data(r.tsn+3, 1, 0, whole, "d"))
	if got := r.texts(); got != "a b " || r.a.in.assembly.used != 0 {
		t.Errorf("%q, %d bytes kept", got, r.a.in.assembly.used)
	}
}

func TestWhatIsFarAheadIsNotTaken(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(data(r.tsn+mostAhead, 1, 1, whole, "b"), data(r.tsn+1<<30, 1, 2, whole, "c"))
	if r.a.in.assembly.used != 0 || r.a.in.spans != nil || r.a.Drops() != (Drops{Data: 2}) {
		t.Error("it was")
	}
	r.send(data(r.tsn+mostAhead-1, 1, 1, whole, "b"))
	if len(r.a.in.spans) != 1 {
		t.Error("what is less far is not")
	}
}

func TestAPacketIsAnsweredAFewTimes(t *testing.T) {
	r := newRaw(t, Config{})
	var beats [][]byte
	for range 50 {
		beats = append(beats, appendChunk(nil, typeHeartbeat, 0, nil))
	}
	r.send(beats...)
	if cs := r.chunks(); len(cs) != mostAnswers {
		t.Errorf("%d answers", len(cs))
	}
}
