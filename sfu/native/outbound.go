package native

import (
	"sync"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/seal"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

// wire is what sending needs of a transport.
type wire interface {
	Keys() (srtpkeys.Keys, bool)
	Where() *lite.Path
}

// outbound encrypts what is sent to one peer.
type outbound struct {
	mu sync.Mutex
	// Guarded by mu.
	sealer    seal.Sealer      // nil until there are keys
	known     *lite.Path       // nil for none yet
	path      lite.Path        // what known points to
	gcm       seal.GCM         // sealer, for most peers: beside what else every packet needs
	history   delivery.History // of what was sent with a transport-wide number
	reference reference        // to be answered with the next sender report; the zero value is none
}

// ready makes the sealer as soon as there are keys. mu is held.
func (o *outbound) ready(t wire) bool {
	if o.sealer != nil {
		return true
	}
	keys, ok := t.Keys()
	if !ok {
		return false
	}
	sealer, err := keys.Sealer(&o.gcm)
	if err != nil {
		return false
	}
	o.sealer = sealer
	return true
}

// way is where datagrams to one peer are written, and where they go from there.
type way struct {
	path   *lite.Path
	writer *netio.Writer // nil over TCP
	via    *link.Outlet
}

// way is found once for a run of packets. mu is held.
func (o *outbound) way(t wire, via *link.Outlet) (way, bool) {
	if !o.ready(t) {
		return way{}, false
	}
	switch path := t.Where(); path {
	case nil:
		return way{}, false
	case o.known:
	default:
		o.path, o.known = *path, path // beside what else is read: every other place costs a miss of the cache
	}
	w := way{path: &o.path, via: via}
	if o.path.TCP == nil {
		w.writer = via.Writer(o.path.Number, o.path.Socket)
	}
	return w, true
}

// place returns room for a datagram of n bytes and what encryption adds, nil for none.
func (w *way) place(n int) []byte {
	if n += seal.Extra; w.writer != nil {
		return w.writer.Slot(n)
	}
	if b := w.via.Scratch[link.MTU:]; n <= len(b) {
		return b
	}
	return nil
}

// send lets the datagram b go, which lies in the place.
func (w *way) send(b []byte) {
	if w.writer == nil {
		w.path.TCP.Send(b)
		return
	}
	w.writer.Commit(len(b), w.path.Remote)
}

// rtcp encrypts and sends a compound packet.
func (o *outbound) rtcp(t wire, b []byte, via *link.Outlet) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, ok := o.way(t, via)
	if !ok {
		return link.ErrNotSending
	}
	return o.rtcpLocked(&w, b)
}

func (o *outbound) rtcpLocked(w *way, b []byte) error {
	place := w.place(len(b))
	if place == nil {
		return link.ErrNotSending
	}
	sealed, err := o.sealer.RTCP(place, b)
	if err != nil {
		return err
	}
	w.send(sealed)
	return nil
}
