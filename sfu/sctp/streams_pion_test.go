package sctp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/sctp"
)

// next waits for an event that is not a message.
func (s *shell) next() Event {
	for {
		if e := <-s.events; true {
			if _, is := e.(Message); !is {
				return e
			}
		}
	}
}

func TestAStreamThatPionClosesCanBeOpenedAgain(t *testing.T) {
	for i, w := range skies {
		connect(t, w, uint64(i), func(s *shell, c *pion.Association) {
			for use := range 4 {
				stream, err := c.OpenStream(4, pion.PayloadTypeWebRTCBinary)
				if err != nil {
					t.Fatal(err)
				}
				for n := range 20 {
					if _, err := stream.Write(content(n, 3000)); err != nil {
						t.Fatal(err)
					}
				}
				for n := range 20 {
					if m := (<-s.events).(Message); !bytes.Equal(m.Data, content(n, 3000)) {
						t.Fatalf("%v, use %d: message %d is another", w, use, n)
					}
				}
				s.do(func(a *Association) {
					if err := a.Send(time.Now(), 4, 53, content(use, 100), Reliability{}); err != nil {
						t.Fatalf("%v, use %d: %v", w, use, err)
					}
				})
				buf := make([]byte, 1000)
				if n, err := stream.Read(buf); err != nil || !bytes.Equal(buf[:n], content(use, 100)) {
					t.Fatalf("%v, use %d: %d bytes, %v", w, use, n, err)
				}
				if err := stream.Close(); err != nil {
					t.Fatal(err)
				}
				if e := s.next(); e != (StreamReset{4}) {
					t.Fatalf("%v, use %d: %v", w, use, e)
				}
				s.do(func(a *Association) { a.Reset(4) })
				if _, err := stream.Read(buf); !errors.Is(err, io.EOF) {
					t.Fatalf("%v, use %d: %v", w, use, err)
				}
				time.Sleep(20 * time.Second) // until both know
			}
		})
	}
}

func TestPionHearsOfAStreamThatWeClose(t *testing.T) {
	for i, w := range skies {
		connect(t, w, uint64(i), func(s *shell, c *pion.Association) {
			for use := range 3 {
				stream, err := c.OpenStream(4, pion.PayloadTypeWebRTCBinary)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := stream.Write([]byte("open")); err != nil {
					t.Fatal(err)
				}
				<-s.events
				s.do(func(a *Association) {
					for n := range 30 {
						if err := a.Send(time.Now(), 4, 53, content(n, 2000), Reliability{}); err != nil {
							t.Error(err)
						}
					}
					a.Reset(4)
					a.Reset(4)
					if err := a.Send(time.Now(), 4, 53, []byte("late"), Reliability{}); !errors.Is(err, ErrClosing) {
						t.Error(err)
					}
				})
				buf := make([]byte, 5000)
				for n := range 30 {
					if got, err := stream.Read(buf); err != nil || !bytes.Equal(buf[:got], content(n, 2000)) {
						t.Fatalf("%v, use %d: message %d: %d bytes, %v", w, use, n, got, err)
					}
				}
				if _, err := stream.Read(buf); !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				_ = stream.Close()
				if e := s.next(); e != (StreamReset{4}) {
					t.Fatalf("%v, use %d: %v", w, use, e)
				}
				time.Sleep(20 * time.Second)
			}
		})
	}
}

// lossy are ways to send that give up.
var lossy = []Reliability{
	{Limited: true},
	{Limited: true, MaxRetransmits: 1, Unordered: true},
	{Lifetime: 200 * time.Millisecond},
	{Lifetime: 200 * time.Millisecond, Unordered: true},
}

func TestWhatIsGivenUpDoesNotHoldBackPion(t *testing.T) {
	w := weather{delay: 20 * time.Millisecond, loss: 0.2}
	for i, r := range lossy {
		connect(t, w, uint64(i), func(s *shell, c *pion.Association) {
			stream, err := c.OpenStream(4, pion.PayloadTypeWebRTCBinary)
			if err != nil {
				t.Fatal(err)
			}
			const count = 300
			go func() {
				for n := range count {
					s.do(func(a *Association) {
						if err := a.Send(time.Now(), 4, 53, binary.BigEndian.AppendUint32(nil, uint32(n)), r); err != nil {
							t.Error(err)
						}
						if n%10 == 0 { // longer than a packet, so that it is given up in pieces
							_ = a.Send(time.Now(), 4, 51, make([]byte, 5000), r)
						}
					})
					time.Sleep(20 * time.Millisecond)
				}
				time.Sleep(10 * time.Second)
				s.do(func(a *Association) {
					if n := a.Buffered(4); n != 0 {
						t.Errorf("%+v: %d bytes wait for ever", r, n)
					}
				})
				_ = a(s).Send(time.Now(), 4, 53, binary.BigEndian.AppendUint32(nil, count), Reliability{})
				s.do(func(*Association) {})
			}()
			buf := make([]byte, 10000)
			got, last := 0, -1
			for last != count {
				n, ppid, err := stream.ReadSCTP(buf)
				if err != nil {
					t.Fatal(err)
				}
				if ppid == 51 {
					continue
				}
				number := int(binary.BigEndian.Uint32(buf[:n]))
				if number <= last && !r.Unordered {
					t.Fatalf("%+v: %d after %d", r, number, last)
				}
				last = number
				got++
			}
			if got < count/2 || r.Limited && r.MaxRetransmits == 0 && got > count*95/100 {
				t.Errorf("%+v: %d of %d came", r, got, count)
			}
		})
	}
}

// a is the association of a shell that nobody else uses at the moment.
func a(s *shell) *Association {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.a
}

func TestWhatPionGivesUpDoesNotHoldUsBack(t *testing.T) {
	w := weather{delay: 20 * time.Millisecond, loss: 0.2}
	for _, unordered := range []bool{false, true} {
		connect(t, w, 3, func(s *shell, c *pion.Association) {
			stream, err := c.OpenStream(4, pion.PayloadTypeWebRTCBinary)
			if err != nil {
				t.Fatal(err)
			}
			stream.SetReliabilityParams(unordered, pion.ReliabilityTypeRexmit, 0)
			const count = 300
			go func() {
				for n := range count {
					_, _ = stream.Write(binary.BigEndian.AppendUint32(nil, uint32(n)))
					if n%10 == 0 {
						_, _ = stream.WriteSCTP(make([]byte, 5000), 51)
					}
					time.Sleep(20 * time.Millisecond)
				}
				time.Sleep(10 * time.Second)
				stream.SetReliabilityParams(unordered, pion.ReliabilityTypeReliable, 0)
				_, _ = stream.Write(binary.BigEndian.AppendUint32(nil, count))
			}()
			got, last := 0, -1
			for last != count {
				m := (<-s.events).(Message)
				if m.PPID == 51 {
					continue
				}
				number := int(binary.BigEndian.Uint32(m.Data))
				if number <= last && !unordered {
					t.Fatalf("%d after %d", number, last)
				}
				last = number
				got++
			}
			if got < count/2 || got > count*95/100 {
				t.Errorf("%d of %d came", got, count)
			}
			s.do(func(a *Association) {
				if a.in.assembly.used != 0 || a.in.assembly.runs != nil {
					t.Errorf("%d bytes are kept", a.in.assembly.used)
				}
			})
		})
	}
}

func TestPionHearsOfAnAbort(t *testing.T) {
	connect(t, skies[0], 1, func(s *shell, c *pion.Association) {
		s.do(func(a *Association) { a.Abort() })
		if e := <-s.events; e != (Ended{nil}) {
			t.Error(e)
		}
		if _, err := c.AcceptStream(); err == nil {
			t.Error("pion goes on")
		}
	})
}

func TestPionsAbortEndsTheAssociation(t *testing.T) {
	connect(t, skies[0], 1, func(s *shell, c *pion.Association) {
		c.Abort("enough")
		if e := <-s.events; e != (Ended{ErrAborted}) {
			t.Error(e)
		}
	})
}

func TestPionCanShutDownInOrder(t *testing.T) {
	connect(t, skies[0], 1, func(s *shell, c *pion.Association) {
		stream, err := c.OpenStream(4, pion.PayloadTypeWebRTCBinary)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Write(content(1, 50000)); err != nil {
			t.Fatal(err)
		}
		if err := c.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if m, ok := (<-s.events).(Message); !ok || len(m.Data) != 50000 {
			t.Error("what was sent before the shutdown did not come")
		}
		if e := <-s.events; e != (Ended{nil}) {
			t.Error(e)
		}
	})
}

func TestPionIsThereAgainAfterSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := wires(weather{delay: time.Millisecond}, 1)
		s := serve(ours, Config{})
		c, err := pion.ClientWithOptions(pion.WithNetConn(theirs), pion.WithLoggerFactory(quiet{}))
		if err != nil {
			t.Fatal(err)
		}
		<-s.events
		stream, _ := c.OpenStream(1, 53)
		ours.mu.Lock()
		ours.loss = 1
		ours.mu.Unlock()
		s.do(func(a *Association) { _ = a.Send(time.Now(), 1, 53, []byte("hello"), Reliability{}) })
		time.Sleep(25 * time.Second)
		ours.mu.Lock()
		ours.loss = 0
		ours.mu.Unlock()
		begun := time.Now()
		if _, err := stream.Read(make([]byte, 10)); err != nil {
			t.Error(err)
		}
		if waited := time.Since(begun); waited > mostTimeout {
			t.Errorf("%v after the network is back", waited)
		}
		_ = ours.Close()
		_ = c.Close()
		s.ended.Wait()
	})
}
