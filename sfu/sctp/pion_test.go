package sctp

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/sctp"
)

// shell drives an association over a wire, as a server does.
type shell struct {
	mu     sync.Mutex
	a      *Association
	conn   *wire
	kick   chan struct{}
	events chan Event
	ended  sync.WaitGroup
}

func serve(conn *wire, cfg Config) *shell {
	s := &shell{a: New(cfg), conn: conn, kick: make(chan struct{}, 1), events: make(chan Event, 100000)}
	s.ended.Go(s.run)
	return s
}

func (s *shell) run() {
	buf := make([]byte, DefaultMaxPacket)
	var timer <-chan time.Time
	for {
		select {
		case p := <-s.conn.arrived:
			s.mu.Lock()
			s.a.Receive(time.Now(), p)
			s.mu.Unlock()
		case <-s.kick:
		case <-timer:
		case <-s.conn.gone:
			return
		}
		s.mu.Lock()
		for n := s.a.Poll(time.Now(), buf); n > 0; n = s.a.Poll(time.Now(), buf) {
			_, _ = s.conn.Write(buf[:n])
		}
		for e, ok := s.a.Next(); ok; e, ok = s.a.Next() {
			if m, is := e.(Message); is {
				s.a.Taken(len(m.Data))
			}
			s.events <- e
		}
		timer = nil
		if at, ok := s.a.Due(); ok {
			timer = time.After(time.Until(at))
		}
		s.mu.Unlock()
	}
}

func (s *shell) do(f func(a *Association)) {
	s.mu.Lock()
	f(s.a)
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// connect is our end and pion's, connected, in a bubble of simulated time.
func connect(t *testing.T, w weather, seed uint64, f func(s *shell, c *pion.Association)) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := wires(w, seed)
		s := serve(ours, Config{})
		c, err := pion.ClientWithOptions(pion.WithNetConn(theirs), pion.WithLoggerFactory(quiet{}), pion.WithMaxMessageSize(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		if e := <-s.events; e != (Established{}) {
			t.Fatal(e)
		}
		f(s, c)
		_ = ours.Close()
		_ = c.Close()
		s.ended.Wait()
	})
}

// skies are networks from fair to foul.
var skies = []weather{
	{delay: 5 * time.Millisecond},
	{delay: 25 * time.Millisecond, jitter: 10 * time.Millisecond, loss: 0.02, twice: 0.02},
	{delay: 10 * time.Millisecond, jitter: 40 * time.Millisecond, loss: 0.1, twice: 0.1},
}

var sizes = []int{1, 100, 1159, 1160, 1161, 1191, 5000, 64 << 10, 200 << 10}

func content(i, size int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d,", i), size)[:size]
}

func TestPionReceivesWhatIsSent(t *testing.T) {
	for i, w := range skies {
		for _, unordered := range []bool{false, true} {
			connect(t, w, uint64(i), func(s *shell, c *pion.Association) {
				stream, err := c.OpenStream(7, pion.PayloadTypeWebRTCBinary)
				if err != nil {
					t.Fatal(err)
				}
				sent := map[string]bool{}
				for n, size := range sizes {
					b := content(n, size)
					sent[string(b)] = true
					s.do(func(a *Association) {
						if err := a.Send(time.Now(), 7, 53, b, Reliability{Unordered: unordered}); err != nil {
							t.Error(err)
						}
					})
				}
				buf := make([]byte, 1<<20)
				for n, size := range sizes {
					got, ppid, err := stream.ReadSCTP(buf)
					if err != nil || ppid != 53 || !sent[string(buf[:got])] {
						t.Fatalf("%v: %d bytes, ppid %d, %v", w, got, ppid, err)
					}
					delete(sent, string(buf[:got]))
					if !unordered && !bytes.Equal(buf[:got], content(n, size)) {
						t.Fatalf("%v: message %d comes in another's place", w, n)
					}
				}
				time.Sleep(time.Minute)
				s.do(func(a *Association) {
					if n := a.Buffered(7); n != 0 {
						t.Errorf("%v: %d bytes wait for ever", w, n)
					}
				})
			})
		}
	}
}

func TestWhatPionSendsIsReceived(t *testing.T) {
	for i, w := range skies {
		for _, unordered := range []bool{false, true} {
			connect(t, w, uint64(i), func(s *shell, c *pion.Association) {
				stream, err := c.OpenStream(7, pion.PayloadTypeWebRTCBinary)
				if err != nil {
					t.Fatal(err)
				}
				stream.SetReliabilityParams(unordered, pion.ReliabilityTypeReliable, 0)
				sent := map[string]bool{}
				for n, size := range sizes {
					b := content(n, size)
					sent[string(b)] = true
					if _, err := stream.Write(b); err != nil {
						t.Fatal(err)
					}
				}
				for n, size := range sizes {
					m := (<-s.events).(Message)
					if m.Stream != 7 || !sent[string(m.Data)] {
						t.Fatalf("%v: %d bytes", w, len(m.Data))
					}
					delete(sent, string(m.Data))
					if !unordered && !bytes.Equal(m.Data, content(n, size)) {
						t.Fatalf("%v: message %d comes in another's place", w, n)
					}
				}
				time.Sleep(time.Minute)
				if n := stream.BufferedAmount(); n != 0 {
					t.Errorf("%v: %d bytes wait for ever", w, n)
				}
			})
		}
	}
}
