package sctp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// poll is the next packet.
func poll(a *Association, now time.Time) []byte {
	buf := make([]byte, 2048)
	return buf[:a.Poll(now, buf)]
}

func TestARepeatedInitIsAnsweredTheSame(t *testing.T) {
	s, c := New(Config{}), newDialer(Config{})
	s.Receive(start(), c.init())
	first := poll(s, start())
	s.Receive(start(), c.init())
	if again := poll(s, start()); !bytes.Equal(first, again) {
		t.Errorf("%x, before %x", again, first)
	}
	if len(poll(s, start())) != 0 {
		t.Error("and more")
	}
}

func TestARepeatedCookieIsAnsweredAndChangesNothing(t *testing.T) {
	s, c := New(Config{}), newDialer(Config{})
	s.Receive(start(), c.init())
	c.Receive(start(), poll(s, start()))
	echo := poll2(c, start())
	s.Receive(start(), echo)
	poll(s, start()) // the answer is lost
	if err := s.Send(start(), 1, 53, []byte("a"), Reliability{}); err != nil {
		t.Fatal(err)
	}
	s.Receive(start(), echo)
	c.Receive(start(), poll(s, start()))
	if got := messages(c.Association); c.step != 2 || len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
	if e, _ := s.Next(); e != (Established{}) {
		t.Error(e)
	}
	if e, ok := s.Next(); ok {
		t.Error(e)
	}
}

func poll2(d *dialer, now time.Time) []byte {
	buf := make([]byte, 2048)
	return buf[:d.Poll(now, buf)]
}

func TestAPeerThatBeginsAnewGetsANewAssociation(t *testing.T) {
	cfg := Config{Random: seeded(1)}
	s, c := New(cfg), newDialer(Config{Random: seeded(2)})
	exchange(t, start(), c, s)
	if err := s.Send(start(), 1, 53, []byte("old"), Reliability{}); err != nil {
		t.Fatal(err)
	}
	again := newDialer(Config{Random: seeded(3)})
	s.Receive(start(), again.init())
	exchange(t, start(), c, s) // the old one is as good as ever until the new one is there
	if got := messages(c.Association); len(got) != 1 {
		t.Errorf("%d messages", len(got))
	}
	exchange(t, start(), again, s)
	for range 2 {
		if e, _ := s.Next(); e != (Established{}) {
			t.Error(e)
		}
	}
	if err := s.Send(start(), 1, 53, []byte("new"), Reliability{}); err != nil {
		t.Fatal(err)
	}
	exchange(t, start(), again, s)
	if got := messages(again.Association); len(got) != 1 || string(got[0].Data) != "new" {
		t.Errorf("%d messages", len(got))
	}
}

func TestPacketsWithAnotherTagAreIgnored(t *testing.T) {
	r := newRaw(t, Config{})
	for _, p := range [][]byte{
		packetOf(header{5000, 5000, r.a.tag + 1}, data(r.tsn, 1, 0, whole, "a")),
		packetOf(header{5000, 5000, 0}, data(r.tsn, 1, 0, whole, "a")),
		packetOf(header{5000, 5000, r.a.local.tag}, data(r.tsn, 1, 0, whole, "a")),
		packetOf(header{5000, 5000, r.a.local.tag}, appendChunk(nil, typeAbort, 0, nil)),
		packetOf(header{5000, 5000, r.a.tag}, appendChunk(nil, typeAbort, flagReflected, nil)),
		packetOf(header{5000, 5000, r.a.tag}, appendChunk(nil, typeCookieEcho, 0, []byte("12345678")))[:20],
	} {
		r.a.Receive(r.now, p)
	}
	broken := packetOf(header{5000, 5000, r.a.tag}, data(r.tsn, 1, 0, whole, "a"))
	broken[20] ^= 1
	r.a.Receive(r.now, broken)
	r.a.Receive(r.now, packetOf(header{5000, 5000, 0}, newDialer(Config{}).init()[packetHeader:], data(r.tsn, 1, 0, whole, "a")))
	if e, ok := r.a.Next(); ok {
		t.Error(e)
	}
	if d := r.a.Drops(); d.Packets != 7 || r.a.Drops() != (Drops{}) {
		t.Errorf("%+v", d)
	}
	r.a.Receive(r.now, packetOf(header{5000, 5000, r.a.local.tag}, appendChunk(nil, typeAbort, flagReflected, nil)))
	if err := r.ended(); !errors.Is(err, ErrAborted) {
		t.Error(err)
	}
	if len(poll(r.a, r.now)) != 0 {
		t.Error("an ABORT is answered")
	}
}

func TestUnknownChunksAreDealtWithAsTheyAsk(t *testing.T) {
	for kind, want := range map[uint8]struct{ told, goes bool }{0x3F: {false, false}, 0x7F: {true, false}, 0xBF: {false, true}, 0xFF: {true, true}} {
		r := newRaw(t, Config{})
		r.send(appendChunk(nil, kind, 0, []byte("what")), data(r.tsn, 1, 0, whole, "a"))
		if got := r.texts() == "a "; got != want.goes {
			t.Errorf("%x: read on: %v", kind, got)
		}
		if !want.told {
			r.none(typeError)
		} else if b := r.one(typeError).value; binary.BigEndian.Uint16(b) != causeChunk || b[4] != kind {
			t.Errorf("%x: %x", kind, b)
		}
	}
}

func TestUnknownParametersAreDealtWithAsTheyAsk(t *testing.T) {
	for kind, want := range map[uint16]struct{ told, goes bool }{0x3FFF: {false, false}, 0x7FFF: {true, false}, 0xBFFF: {false, true}, 0xFFFF: {true, true}} {
		s, c := New(Config{}), newDialer(Config{})
		init := c.init()
		at := packetHeader + chunkHeader + initHeader
		v := appendParam(bytes.Clone(init[packetHeader+chunkHeader:at]), kind, []byte("what"))
		s.Receive(start(), packetOf(header{5000, 5000, 0}, appendChunk(nil, typeInit, 0, append(v, init[at:]...))))
		told := bytes.Contains(poll(s, start()), appendParam(nil, paramUnrecognized, appendParam(nil, kind, []byte("what"))))
		if told != want.told || s.greeting.forward != want.goes {
			t.Errorf("%x: told %v, read on %v", kind, told, s.greeting.forward)
		}
	}
}

func TestAHeartbeatIsAnswered(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(appendChunk(nil, typeHeartbeat, 0, []byte("beat!")))
	if b := r.one(typeHeartbeatAck).value; string(b) != "beat!" {
		t.Errorf("%q", b)
	}
}

func TestShutdownWaitsForWhatIsOnItsWay(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	n, _ := r.sent()
	r.send(appendChunk(nil, typeShutdown, 0, binary.BigEndian.AppendUint32(nil, uint32(r.tsn-1))))
	r.none(typeShutdownAck)
	if err := r.a.Send(r.now, 1, 53, []byte("b"), Reliability{}); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
	r.send(sack(n[0]+1, 1000))
	for range 2 {
		r.one(typeShutdownAck)
		due, ok := r.a.Due()
		if !ok {
			t.Fatal("it is not repeated")
		}
		r.now = due
	}
	r.send(appendChunk(nil, typeShutdownComplete, 0, nil))
	if err := r.ended(); err != nil {
		t.Error(err)
	}
	r.none(typeShutdownAck)
}

func TestAbortIsToldOnceAndMayBeCalledTwice(t *testing.T) {
	r := newRaw(t, Config{})
	r.say(1, "a", Reliability{})
	r.a.Abort()
	r.a.Abort()
	r.one(typeAbort)
	if err := r.ended(); err != nil {
		t.Error(err)
	}
	if e, ok := r.a.Next(); ok {
		t.Error(e)
	}
	r.send(data(r.tsn, 1, 0, whole, "a"))
	r.a.Taken(1)
	r.a.Reset(1)
	if due, ok := r.a.Due(); ok {
		t.Errorf("due %v", due)
	}
	fresh := New(Config{})
	fresh.Abort()
	if e, _ := fresh.Next(); e != (Ended{}) {
		t.Error(e)
	}
	if len(poll(fresh, start())) != 0 {
		t.Error("nobody is to be told")
	}
}

func TestDataMayComeWithTheCookie(t *testing.T) {
	s, c := New(Config{}), newDialer(Config{})
	s.Receive(start(), c.init())
	c.Receive(start(), poll(s, start()))
	_, echo, _ := open(poll2(c, start()))
	s.Receive(start(), packetOf(c.g.local, echo, data(c.g.ours, 1, 0, whole, "early")))
	if got := messages(s); len(got) != 1 || string(got[0].Data) != "early" {
		t.Errorf("%d messages", len(got))
	}
	if first, _, _ := nextChunk(poll(s, start())[packetHeader:]); first.kind != typeCookieAck {
		t.Errorf("the answer begins with a chunk of type %d", first.kind)
	}
}

func TestRequestsOtherThanResetsAreAnswered(t *testing.T) {
	for kind, want := range map[uint16]uint32{paramAddOutgoing: resultPerformed, paramAddIncoming: resultDenied, paramIncomingReset: resultDenied, paramAllReset: resultDenied} {
		r := newRaw(t, Config{})
		v := binary.BigEndian.AppendUint32(nil, uint32(r.tsn))
		r.send(appendChunk(nil, typeReconfig, 0, appendParam(nil, kind, append(v, 0, 16, 0, 0))))
		if b := r.one(typeReconfig).value; binary.BigEndian.Uint32(b[8:]) != want {
			t.Errorf("%d: %x", kind, b)
		}
		r.send(resetRequest(uint32(r.tsn)+1, r.tsn-1)) // the next number, and all streams
		if b := r.one(typeReconfig).value; binary.BigEndian.Uint32(b[8:]) != resultPerformed {
			t.Errorf("%d: %x", kind, b)
		}
	}
}

func TestAResetOfAllStreamsNamesThem(t *testing.T) {
	r := newRaw(t, Config{})
	r.send(data(r.tsn, 5, 0, whole, "a"), data(r.tsn+1, 2, 7, whole, "before its turn"), resetRequest(uint32(r.tsn), r.tsn+1))
	var got []uint16
	for e, ok := r.a.Next(); ok; e, ok = r.a.Next() {
		if e, is := e.(StreamReset); is {
			got = append(got, e.Stream)
		}
		if m, is := e.(Message); is {
			r.a.Taken(len(m.Data))
		}
	}
	if len(got) != 2 || got[0] != 2 || got[1] != 5 || r.a.in.assembly.used != 0 {
		t.Errorf("%v, %d bytes kept", got, r.a.in.assembly.used)
	}
}

func TestALateInitOfTheSameAssociationIsIgnored(t *testing.T) {
	s, c := New(Config{}), newDialer(Config{})
	init := c.init()
	exchange(t, start(), c, s)
	s.Receive(start(), init)
	if s.greeting != nil || len(poll(s, start())) != 0 {
		t.Error("it is answered")
	}
}
