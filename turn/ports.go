package turn

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	errNoPort    = errors.New("every relay port is in use")
	errPortRange = errors.New("the wanted port is not a relay port")
)

// States of a port.
const (
	portFree uint32 = iota
	portUsed
	portReserved // for a request that names it: EVEN-PORT, RESERVATION-TOKEN
)

// reservationTime is how long a port is kept for whom it was reserved (RFC 8656 §7.2).
const reservationTime = 30 * time.Second

// portRange hands out the relay ports, each to one relay at a time, whatever its address.
type portRange struct {
	first, last int             // Set at construction, never changed.
	state       []atomic.Uint32 // by port - first
}

func newPortRange(first, last uint16) *portRange {
	return &portRange{first: int(first), last: int(last), state: make([]atomic.Uint32, int(last)-int(first)+1)}
}

// free is how many ports are left.
func (r *portRange) free() int {
	n := 0
	for i := range r.state {
		if r.state[i].Load() == portFree {
			n++
		}
	}
	return n
}

// take finds a port for which open succeeds: want when it is not 0, also when it is reserved, else each free multiple of
// step in the range once, from a random one on, so that a nearly full range still serves. Only "in use" makes it try the next.
func (r *portRange) take(want, step int, open func(port int) error) (int, error) {
	if want != 0 {
		return want, r.claim(want, true, open)
	}
	n := len(r.state)
	start := rand.IntN(n) //nolint:gosec // spreads ports; RFC 8656 §7.2 wants them hard to guess from outside, not secret
	for i := range n {
		port := r.first + (start+i)%n
		if port%step != 0 {
			continue
		}
		err := r.claim(port, false, open)
		if err == nil {
			return port, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, errNoPort) && !errors.Is(err, errPortRange) {
			return 0, err
		}
	}
	return 0, errNoPort
}

// claim takes one port, if it is free, or reserved for us, and open succeeds.
func (r *portRange) claim(port int, reserved bool, open func(port int) error) error {
	if port < r.first || port > r.last {
		return errPortRange
	}
	state := &r.state[port-r.first]
	if !state.CompareAndSwap(portFree, portUsed) && !(reserved && state.CompareAndSwap(portReserved, portUsed)) {
		return errNoPort
	}
	if err := open(port); err != nil {
		r.release(port)
		return err
	}
	return nil
}

func (r *portRange) release(port int) { r.state[port-r.first].Store(portFree) }

// reserve keeps a port that was taken for the next request that names it.
func (r *portRange) reserve(port int) {
	state := &r.state[port-r.first]
	state.Store(portReserved)
	time.AfterFunc(reservationTime, func() { state.CompareAndSwap(portReserved, portFree) })
}
