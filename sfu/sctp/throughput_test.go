package sctp

import (
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/sctp"
)

// Links for much data: one on which losses are dear, and two on which they are made by who sends too much.
var links = map[string]weather{
	"50 ms, 1 % lost":           {delay: 25 * time.Millisecond, loss: 0.01},
	"50 ms, 10 Mbit/s":          {delay: 25 * time.Millisecond, rate: 1250000, queue: 60 * time.Millisecond},
	"10 ms, 50 Mbit/s, shallow": {delay: 5 * time.Millisecond, rate: 6250000, queue: 5 * time.Millisecond},
}

const (
	bulk = 8 << 20
	slab = 16 << 10
)

// readAll reads until bulk bytes have come.
func readAll(t *testing.T, s *pion.Stream) {
	buf := make([]byte, 1<<20)
	for n := 0; n < bulk; {
		got, err := s.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		n += got
	}
}

// ownBulk is how long our end takes to send bulk to pion's.
func ownBulk(t *testing.T, w weather, seed uint64) (took time.Duration) {
	connect(t, w, seed, func(s *shell, c *pion.Association) {
		stream, err := c.OpenStream(1, pion.PayloadTypeWebRTCBinary)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		go func() {
			for n := 0; n < bulk; {
				var err error
				s.do(func(a *Association) { err = a.Send(time.Now(), 1, 53, make([]byte, slab), Reliability{}) })
				if err == nil {
					n += slab
				} else {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		readAll(t, stream)
		took = time.Since(begun)
	})
	return took
}

// bulkToUs is how long pion's takes to send it to our end.
func bulkToUs(t *testing.T, w weather, seed uint64) (took time.Duration) {
	connect(t, w, seed, func(s *shell, c *pion.Association) {
		stream, err := c.OpenStream(1, pion.PayloadTypeWebRTCBinary)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		go func() {
			for range bulk / slab {
				_, _ = stream.Write(make([]byte, slab))
			}
		}()
		for n := 0; n < bulk; {
			n += len((<-s.events).(Message).Data)
		}
		took = time.Since(begun)
	})
	return took
}

// pionBulk is how long pion's takes to send it to another of its kind.
func pionBulk(t *testing.T, w weather, seed uint64) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		a, b := wires(w, seed)
		options := func(w *wire) []pion.AssociationOption {
			return []pion.AssociationOption{pion.WithNetConn(w), pion.WithLoggerFactory(quiet{}), pion.WithMaxMessageSize(1 << 20)}
		}
		accepted := make(chan *pion.Association)
		go func() {
			o := options(b)
			s, err := pion.ServerWithOptions(o[0], o[1], o[2])
			if err != nil {
				t.Error(err)
			}
			accepted <- s
		}()
		o := options(a)
		c, err := pion.ClientWithOptions(o[0], o[1], o[2])
		if err != nil {
			t.Fatal(err)
		}
		s := <-accepted
		out, err := s.OpenStream(1, pion.PayloadTypeWebRTCBinary)
		if err != nil {
			t.Fatal(err)
		}
		in, err := c.OpenStream(1, pion.PayloadTypeWebRTCBinary)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		go func() {
			for range bulk / slab {
				_, _ = out.Write(make([]byte, slab))
			}
		}()
		readAll(t, in)
		took = time.Since(begun)
		_ = a.Close()
		_ = c.Close()
		_ = s.Close()
	})
	return took
}

func TestMuchDataGoesAsFastAsPions(t *testing.T) {
	for name, link := range links {
		var own, taken, theirs time.Duration
		for seed := range uint64(3) {
			own += ownBulk(t, link, seed) / 3
			taken += bulkToUs(t, link, seed) / 3
			theirs += pionBulk(t, link, seed) / 3
		}
		t.Logf("8 MiB over %s: sent in %v, received in %v, pion to pion %v", name, own, taken, theirs)
		if own > theirs*12/10 || taken > theirs*2 { // what pion sends to us may meet other losses than what it sends to its kind
			t.Errorf("%s: sent in %v, received in %v, pion to pion %v", name, own, taken, theirs)
		}
	}
}
