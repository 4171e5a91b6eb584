package turn

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
)

var (
	errNoPort    = errors.New("every relay port is in use")
	errPortRange = errors.New("the wanted port is not a relay port")
)

// portRange hands out the relay ports, each to one relay at a time, whatever its address.
type portRange struct {
	first, last int           // Set at construction, never changed.
	used        []atomic.Bool // by port - first
}

func newPortRange(first, last uint16) *portRange {
	return &portRange{first: int(first), last: int(last), used: make([]atomic.Bool, int(last)-int(first)+1)}
}

// free is how many ports are left.
func (r *portRange) free() int {
	n := 0
	for i := range r.used {
		if !r.used[i].Load() {
			n++
		}
	}
	return n
}

// take finds a port for which open succeeds: want when it is not 0, else each of the range once, from a random one on, so
// that a nearly full range still serves. Only "in use" makes it try the next.
func (r *portRange) take(want, step int, open func(port int) error) (int, error) {
	if want != 0 {
		if want < r.first || want > r.last {
			return 0, errPortRange
		}
		return want, r.claim(want, open)
	}
	n := len(r.used)
	start := rand.IntN(n) //nolint:gosec // spreads ports; RFC 8656 §7.2 wants them hard to guess from outside, not secret
	for i := range n {
		port := r.first + (start+i)%n
		if port%step != 0 {
			continue
		}
		err := r.claim(port, open)
		if err == nil {
			return port, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, errNoPort) {
			return 0, err
		}
	}
	return 0, errNoPort
}

func (r *portRange) claim(port int, open func(port int) error) error {
	if !r.used[port-r.first].CompareAndSwap(false, true) {
		return errNoPort
	}
	if err := open(port); err != nil {
		r.release(port)
		return err
	}
	return nil
}

func (r *portRange) release(port int) { r.used[port-r.first].Store(false) }
