package sctp

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pion/logging"
)

// weather is what a simulated network does to packets.
type weather struct {
	delay  time.Duration // each way
	jitter time.Duration // up to so much more, so that packets overtake each other
	loss   float64
	twice  float64
	rate   int           // bytes a second, 0: any number
	queue  time.Duration // how long a packet may wait for its turn at that rate; it is lost if it would be longer
}

// wire is one end of a simulated network: a net.Conn whose packets arrive after a while, or not.
type wire struct {
	weather
	mu       sync.Mutex
	rand     *rand.Rand
	to       *wire
	latest   time.Time // when the latest arrives
	free     time.Time // when the link is free
	arrived  chan []byte
	gone     chan struct{}
	close    func()
	deadline <-chan time.Time
}

func wires(w weather, seed uint64) (*wire, *wire) {
	one := func(n uint64) *wire {
		gone := make(chan struct{})
		return &wire{
			weather: w, rand: rand.New(rand.NewPCG(seed, n)), arrived: make(chan []byte, 100000),
			gone: gone, close: sync.OnceFunc(func() { close(gone) }),
		}
	}
	a, b := one(1), one(2)
	a.to, b.to = b, a
	return a, b
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for again := true; again; again = w.rand.Float64() < w.twice {
		if w.rand.Float64() < w.loss {
			continue
		}
		packet := bytes.Clone(b)
		deliver := func() {
			select {
			case w.to.arrived <- packet:
			case <-w.to.gone:
			}
		}
		delay := w.delay
		if w.rate > 0 {
			w.free = later(w.free, time.Now())
			wait := time.Until(w.free)
			if wait > w.queue {
				continue
			}
			w.free = w.free.Add(time.Duration(len(b)) * time.Second / time.Duration(w.rate))
			delay += wait
		}
		if w.jitter > 0 {
			delay += time.Duration(w.rand.Int64N(int64(w.jitter)))
		} else { // one after the other: timers of the same moment have no order
			w.latest = later(w.latest.Add(time.Microsecond), time.Now().Add(delay))
			delay = time.Until(w.latest)
		}
		time.AfterFunc(delay, deliver)
	}
	return len(b), nil
}

func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	deadline := w.deadline
	w.mu.Unlock()
	select {
	case p := <-w.arrived:
		return copy(b, p), nil
	case <-w.gone:
		return 0, io.EOF
	case <-deadline:
		return 0, os.ErrDeadlineExceeded
	}
}

func (w *wire) Close() error                     { w.close(); return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (w *wire) RemoteAddr() net.Addr             { return &net.UDPAddr{} }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
func (w *wire) SetDeadline(t time.Time) error    { return w.SetReadDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = nil
	if !t.IsZero() {
		w.deadline = time.After(time.Until(t))
	}
	return nil
}

// quiet is pion's logger.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger { return quiet{} }
func (quiet) Trace(string)                           {}
func (quiet) Tracef(string, ...any)                  {}
func (quiet) Debug(string)                           {}
func (quiet) Debugf(string, ...any)                  {}
func (quiet) Info(string)                            {}
func (quiet) Infof(string, ...any)                   {}
func (quiet) Warn(string)                            {}
func (quiet) Warnf(string, ...any)                   {}
func (quiet) Error(string)                           {}
func (quiet) Errorf(string, ...any)                  {}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
