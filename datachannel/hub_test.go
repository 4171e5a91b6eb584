package datachannel

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
)

func TestMessagesReachWhomTheyAreFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b, c := join(t, h, "a", everything), join(t, h, "b", everything), join(t, h, "c", everything)
		a.send("chat", "hello")
		b.send("chat", "only c", "c")
		b.send("chat", "myself and a", "b", "a", "a", "nobody")
		a.send("chat", "lost", "nobody")
		a.wantMessages("b chat myself and a")
		b.wantMessages("a chat hello", "b chat myself and a")
		c.wantMessages("a chat hello", "b chat only c")
		a.wantCodes("data.noRecipient")
		if n := h.Stats().Messages; n != 3 {
			t.Fatalf("%d messages", n)
		}
	})
}

func TestMessagesToTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan ServerMessage, 1)
		h := NewHub("test", Config{}, slog.New(slog.DiscardHandler), Services{Serve: func(m ServerMessage) { got <- m }})
		t.Cleanup(h.Close)
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		a.say(frame.Send{ID: 1, Topic: "t", To: frame.ToServer, Payload: []byte("x")})
		if m := <-got; m.From != "a" || m.Topic != "t" || string(m.Payload) != "x" {
			t.Fatal(m)
		}
		b.wantMessages()
		without := startHub(t, Config{})
		c := join(t, without, "c", everything)
		c.say(frame.Send{ID: 7, Topic: "t", To: frame.ToServer})
		c.wantCodes("data.noRecipient")
		if c.errors[0].ID != 7 || !c.errors[0].Retryable || c.errors[0].Hint == "" {
			t.Fatal(c.errors)
		}
	})
}

func TestNobodySpeaksForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		for _, f := range []frame.Frame{
			frame.Message{From: "b", Topic: "chat", Payload: []byte("spoof")},
			frame.Presence{Entries: []frame.PresenceEntry{{Identity: "b", Clock: 99}}},
			frame.Error{Code: "x"}, frame.Gap{Dropped: 1}, frame.Welcome{Version: 1, Stream: 5},
			frame.Message{Lossy: true, From: "b", Topic: "chat"},
		} {
			a.say(f)
		}
		a.wantCodes(strings.TrimSpace(strings.Repeat("data.malformed ", 6)))
		b.wantMessages()
		if len(b.others) > 0 || len(b.lossy) > 0 {
			t.Fatal(b.others, b.lossy)
		}
	})
}

func TestTopicsNeedPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a := join(t, h, "a", Grants{Publish: true, Subscribe: true, Topics: map[string]string{"in": "r", "out": "w", "*": ""}})
		b := join(t, h, "b", everything)
		mute := join(t, h, "mute", Grants{Subscribe: true})
		deaf := join(t, h, "deaf", Grants{Publish: true})
		a.send("in", "no")
		a.send("out", "yes")
		a.send("other", "no")
		mute.send("out", "no")
		mute.say(frame.PresenceSet{Clock: 1, Present: true})
		b.send("in", "1")
		b.send("out", "2")
		b.send("other", "3")
		a.wantCodes("data.forbidden data.forbidden")
		mute.wantCodes("data.forbidden data.forbidden")
		a.wantMessages("b in 1")
		b.wantMessages("a out yes")
		mute.wantMessages("a out yes", "b in 1", "b out 2", "b other 3")
		deaf.wantMessages()
	})
}

func TestLossyGoesOverTheLossyWireAndWithoutOneOverTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		lossy := &wireEnd{}
		b.member.Attach(Lossy, lossy)
		aLossy := a.member.Attach(Lossy, &wireEnd{})
		aLossy.Receive(frame.Append(nil, frame.Send{Lossy: true, Topic: "t", Payload: []byte("1")}))
		b.say(frame.Send{Lossy: true, Topic: "t", Payload: []byte("2")})
		aLossy.Receive(frame.Append(nil, frame.Send{Topic: "t", Payload: []byte("counted on the wrong lane")}))
		a.wantCodes("data.malformed")
		if got := lossy.take(); len(got) != 1 {
			t.Fatal(got)
		}
		b.read()
		if len(b.lossy)+len(b.messages) > 0 {
			t.Fatal("came over the reliable wire")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		a.say(frame.Send{Lossy: true, Topic: "t", Payload: []byte("1")})
		b.read()
		if len(b.lossy) != 1 || b.received != 1 {
			t.Fatal(b.lossy, b.received)
		}
	})
}

func TestLargeMessagesTravelInFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{MessageBytes: 1 << 20})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		big := strings.Repeat("0123456789", 100_000)
		a.say(frame.Send{ID: 1, Topic: "t", Payload: []byte(big)})
		b.wantMessages("a t " + big)
		a.say(frame.Send{ID: 2, Topic: "t", Payload: make([]byte, 1<<20+1)})
		a.say(frame.Send{ID: 3, Topic: "t", Payload: make([]byte, 2<<20)})
		a.wantCodes("data.tooLarge data.tooLarge")
		if a.errors[0].ID != 2 || a.errors[1].ID != 3 {
			t.Fatal(a.errors)
		}
		a.say(frame.Send{Lossy: true, Topic: "t", Payload: make([]byte, 16_000)})
		b.read()
		if len(b.lossy) != 1 {
			t.Fatal("the wire does not go on")
		}
		a.say(frame.Fragment{ID: 4, Offset: 0, Total: 2, Data: []byte{byte(frame.TypeFragment), 1}})
		a.say(frame.Fragment{ID: 5, Offset: 0, Total: 2, Data: []byte{byte(frame.TypeAck), 1}})
		a.wantCodes("data.tooLarge data.tooLarge data.malformed data.malformed")
	})
}

// TestChangingWiresLosesAndDoublesNothing breaks wires at random moments, with messages on them in both directions.
func TestChangingWiresLosesAndDoublesNothing(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			h := startHub(t, Config{Rate: 1e6, Burst: 1e6})
			a, b := join(t, h, "a", everything), join(t, h, "b", everything)
			var fromA, fromB []string
			for n := range 300 {
				switch random.IntN(6) {
				case 0, 1:
					s := fmt.Sprint(n)
					if random.IntN(10) == 0 {
						s = strings.Repeat(s, 12_000)
					}
					a.say(frame.Send{ID: uint64(n + 1), Topic: "t", Payload: []byte(s)})
					fromA = append(fromA, "a t "+s)
				case 2:
					b.send("t", fmt.Sprint(n))
					fromB = append(fromB, "b t "+fmt.Sprint(n))
				case 3:
					b.read()
					a.read()
				case 4:
					time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				case 5:
					breakWire(random, []*client{a, b}[random.IntN(2)])
				}
			}
			time.Sleep(time.Second)
			b.wantMessages(fromA...)
			a.wantMessages(fromB...)
			if a.gaps+b.gaps > 0 || a.codes()+b.codes() != "" {
				t.Fatal("gaps or errors", a.gaps, b.gaps, a.codes(), b.codes())
			}
		})
	}
}

// breakWire loses part of what is on the wire to the client, and what the client says until it connects again.
func breakWire(random *rand.Rand, c *client) {
	synctest.Wait()
	c.conn.mu.Lock()
	c.conn.taken = c.conn.taken[:random.IntN(len(c.conn.taken)+1)]
	c.conn.broken = random.IntN(2) == 0
	c.conn.mu.Unlock()
	c.take()
	old := c.wire
	if random.IntN(2) == 0 {
		c.out = func([]byte) {} // says into the void
		c.send("t", "said while there was no wire")
		c.sent = c.sent[:len(c.sent)-1]
	}
	c.connect()
	old.Receive(frame.Append(nil, frame.Send{Topic: "t", Payload: []byte("late, on the wire of before")}))
	old.Detach()
}

// TestTheWireThatIsReplacedIsClosed takes another Conn on either lane: the one before is closed, once, and what was on it in either
// direction goes on over the other.
func TestTheWireThatIsReplacedIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		oldLossy, newLossy := &wireEnd{}, &wireEnd{}
		gone := a.member.Attach(Lossy, oldLossy)
		a.member.Attach(Lossy, newLossy)
		old := a.conn
		old.mu.Lock()
		old.stuck = true
		old.mu.Unlock()
		b.send("t", "on the way")
		time.Sleep(time.Second)
		old.take() // never arrives
		a.sent = append(a.sent, frame.Append(nil, frame.Send{Topic: "t", Payload: []byte("on the way, too")}))
		a.connect()
		gone.Detach()
		b.send("t", "after")
		a.wantMessages("b t on the way", "b t after")
		b.wantMessages("a t on the way, too")
		if !old.closed || !oldLossy.closed || a.conn.closed || newLossy.closed {
			t.Error("closed:", old.closed, oldLossy.closed, "and those in their place:", a.conn.closed, newLossy.closed)
		}
		if n := h.Stats().Wires; n != 3 {
			t.Errorf("%d wires, want 3", n)
		}
	})
}

// TestAWireReplacesTheOneBeforeWithItsHello attaches wires that say nothing, and one that says hello too late: nothing is lost, and only
// what was replaced, or is too late, is closed.
func TestAWireReplacesTheOneBeforeWithItsHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		old, early, silent := a.conn, &wireEnd{}, &wireEnd{}
		late := a.member.Attach(Reliable, early)
		a.member.Attach(Reliable, silent)
		b.send("t", "1")
		a.send("t", "2")
		a.wantMessages("b t 1")
		b.wantMessages("a t 2")
		if old.closed || silent.closed {
			t.Error("closed before another said hello")
		}
		a.connect()
		late.Receive(frame.Append(nil, frame.Hello{Version: 1, Stream: a.stream, Received: a.received}))
		b.send("t", "3")
		a.wantMessages("b t 1", "b t 3")
		if !old.closed || a.conn.closed || len(early.take()) > 0 {
			t.Error("the newest that said hello does not count")
		}
	})
}

func TestAnotherStreamStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		a.send("t", "1")
		a.say(frame.PresenceSet{Clock: 1, Present: true, Data: []byte("p")})
		b.wantMessages("a t 1")
		b.stream, b.received = 0, 0 // has lost its memory
		clear(b.others)
		b.connect()
		if b.others["a"] != "p" || b.welcomes != 2 {
			t.Fatal("is not brought up to date", b.others, b.welcomes)
		}
		a.send("t", "2")
		b.wantMessages("a t 1", "a t 2")
	})
}

func TestOtherVersionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a := join(t, h, "a", everything)
		conn := &wireEnd{}
		a.conn, a.welcomes = conn, 0
		a.out = a.member.Attach(Reliable, conn).Receive
		a.say(frame.Hello{Version: 2})
		a.wantCodes("data.unsupported")
		if !conn.closed {
			t.Fatal("the wire is open")
		}
	})
}

func TestWireThatCannotBeCountedIsClosedAndTheStreamGoesOn(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"garbage": {0x90, 1, 2}, "empty": {}, "too large": make([]byte, frame.MaxMessage+1), "no length": {0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := startHub(t, Config{})
				a, b := join(t, h, "a", everything), join(t, h, "b", everything)
				a.wire.Receive(bytes)
				a.read()
				if a.codes() != "data.malformed" || !a.conn.closed {
					t.Fatal(a.codes(), a.conn.closed)
				}
				a.received-- // the error came outside of the stream
				b.send("t", "meanwhile")
				a.connect()
				a.wantMessages("b t meanwhile")
				a.send("t", "again")
				b.wantMessages("a t again")
			})
		})
	}
}

func TestFrameBeforeHelloClosesTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		m := h.Join("a", everything)
		conn := &wireEnd{}
		m.Attach(Reliable, conn).Receive(frame.Append(nil, frame.Send{Topic: "t"}))
		synctest.Wait()
		if !conn.closed || len(conn.take()) != 1 {
			t.Fatal("taken")
		}
	})
}

func TestUnknownFramesAreIgnoredAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		unknown := []byte{3, 0x7f, 1, 2}
		a.sent = append(a.sent, unknown)
		a.wire.Receive(append(append([]byte(nil), unknown...), 1, 0x0e))
		a.send("t", "x")
		b.wantMessages("a t x")
		time.Sleep(2 * time.Second)
		a.read()
		if a.acked != 2 || h.Stats().Dropped[DroppedUnknown] != 2 {
			t.Fatal(a.acked, h.Stats())
		}
	})
}

func TestSlowReaderGetsAGapAndOthersAreNotDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{MessageBytes: 1000, QueueMessages: 1024, QueueBytes: 100_000, DocumentBytes: 1000, Rate: 1e6, Burst: 1e6})
		a, fast, slow := join(t, h, "a", everything), join(t, h, "fast", everything), join(t, h, "slow", everything)
		a.say(frame.PresenceSet{Clock: 1, Present: true, Data: []byte("here")})
		synctest.Wait()
		slow.conn.mu.Lock()
		slow.conn.stuck, slow.conn.buffered = true, highWater
		slow.conn.mu.Unlock()
		slow.wire.room = 0 // as if all of it had gone through this wire
		var sent []string
		for n := range 3000 {
			text := fmt.Sprintf("%d %s", n, strings.Repeat("x", 90))
			a.send("t", text)
			sent = append(sent, "a t "+text)
			if n%100 == 0 {
				fast.read()
			}
		}
		fast.wantMessages(sent...)
		synctest.Wait()
		if _, bytes := slow.member.out.Backlog(); bytes > 101_000 {
			t.Fatalf("%d bytes are kept for the slow one", bytes)
		}
		clear(slow.others)
		slow.conn.unstick()
		slow.read()
		if slow.gaps == 0 || int(slow.gaps)+len(slow.messages) != len(sent) {
			t.Fatalf("%d sent, %d arrived, %d told", len(sent), len(slow.messages), slow.gaps)
		}
		if slow.others["a"] != "here" {
			t.Fatal("not brought up to date after the gap")
		}
		if h.Stats().Dropped[DroppedGap] != slow.gaps {
			t.Fatal(h.Stats())
		}
	})
}

func TestFloodIsToldAndOthersAreNotDisturbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{Rate: 10, Burst: 20})
		a, b, c := join(t, h, "a", everything), join(t, h, "b", everything), join(t, h, "c", everything)
		for range 10_000 {
			a.send("t", "flood")
		}
		b.send("t", "calm")
		c.read()
		if n := len(c.messages); n != 21 {
			t.Fatalf("%d messages", n)
		}
		a.wantCodes("rate.limited")
		s := h.Stats()
		if s.Refused[CodeRateLimited] != 10_000-20 {
			t.Fatal(s)
		}
		time.Sleep(time.Second)
		a.send("t", "better")
		c.read()
		if len(c.messages) != 22 {
			t.Fatal("the sender stays locked out")
		}
	})
}

func TestLateJoinerSeesPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a := join(t, h, "a", everything)
		a.say(frame.PresenceSet{Clock: 1, Present: true, Data: []byte("1")})
		a.say(frame.PresenceSet{Clock: 2, Present: true, Data: []byte("2")})
		synctest.Wait()
		b := join(t, h, "b", everything)
		if !reflect.DeepEqual(b.others, map[string]string{"a": "2"}) {
			t.Fatal(b.others)
		}
		a.member.Leave()
		time.Sleep(50 * time.Millisecond)
		b.read()
		if len(b.others) > 0 {
			t.Fatal("still there after it left")
		}
	})
}

func TestPresenceOfACrashedMemberGoesWithinFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		a.say(frame.PresenceSet{Clock: 1, Present: true, Data: []byte("x")})
		for range 10 { // lives
			time.Sleep(1500 * time.Millisecond)
			a.say(frame.Ack{Received: a.received})
			b.read()
			if b.others["a"] != "x" {
				t.Fatal("gone while alive")
			}
		}
		time.Sleep(5 * time.Second) // crashed
		b.read()
		if len(b.others) > 0 {
			t.Fatal("a ghost")
		}
		a.say(frame.Ack{Received: a.received})
		time.Sleep(50 * time.Millisecond)
		b.read()
		if b.others["a"] != "x" {
			t.Fatal("not back")
		}
	})
}

func TestSecondJoinReplacesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := startHub(t, Config{})
		a, b := join(t, h, "a", everything), join(t, h, "b", everything)
		a.say(frame.PresenceSet{Clock: 9, Present: true, Data: []byte("old")})
		synctest.Wait()
		again := join(t, h, "a", everything)
		again.say(frame.PresenceSet{Clock: 1, Present: true, Data: []byte("new")})
		a.send("t", "from the grave")
		a.member.Leave()
		time.Sleep(100 * time.Millisecond)
		b.wantMessages()
		if b.others["a"] != "new" || h.Stats().Members != 2 {
			t.Fatal(b.others, h.Stats().Members)
		}
	})
}

func TestCloseTwiceAndUseAfterwards(t *testing.T) {
	h := NewHub("test", Config{}, slog.New(slog.DiscardHandler), Services{})
	m := h.Join("a", everything)
	w := m.Attach(Reliable, &wireEnd{})
	h.Close()
	h.Close()
	for range 2 * memberSlots {
		w.Receive([]byte{1, 1})
	}
	w.Detach()
	m.Leave()
	h.Join("b", everything).Attach(Lossy, &wireEnd{}).Detach()
}

// TestHubIsWhatTheModelSays joins, leaves, and sends at random; what each member got is compared with a naive model.
func TestHubIsWhatTheModelSays(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 9))
			h := startHub(t, Config{Rate: 1e6, Burst: 1e6})
			here := map[string]*client{}
			want := map[*client][]string{}
			presence := map[string]string{}
			clock := uint64(0)
			for n := range 200 {
				name := fmt.Sprint(random.IntN(6))
				c := here[name]
				if c == nil {
					here[name] = join(t, h, name, everything)
					continue
				}
				synctest.Wait()
				switch random.IntN(8) {
				case 0:
					c.member.Leave()
					delete(here, name)
					delete(presence, name)
				case 1, 2:
					clock++
					c.say(frame.PresenceSet{Clock: clock, Present: n%3 > 0, Data: fmt.Append(nil, n)})
					delete(presence, name)
					if n%3 > 0 {
						presence[name] = fmt.Sprint(n)
					}
				case 3, 4:
					to := fmt.Sprint(random.IntN(6))
					c.send("t", fmt.Sprint(n), to)
					if other := here[to]; other != nil {
						want[other] = append(want[other], fmt.Sprintf("%s t %d", name, n))
					}
				default:
					c.send("t", fmt.Sprint(n))
					for _, other := range here {
						if other != c {
							want[other] = append(want[other], fmt.Sprintf("%s t %d", name, n))
						}
					}
				}
			}
			time.Sleep(time.Second)
			for name, c := range here {
				c.wantMessages(want[c]...)
				delete(c.others, name)
				others := map[string]string{}
				for id, v := range presence {
					if id != name {
						others[id] = v
					}
				}
				if !reflect.DeepEqual(c.others, others) {
					t.Fatalf("seed %d: %s sees %v, want %v", seed, name, c.others, others)
				}
			}
		})
	}
}
