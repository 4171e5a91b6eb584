package native

import (
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

// srtpExtra is what encryption adds at most: an authentication tag of 16 bytes, and 4 for the index of SRTCP.
const srtpExtra = 20

// wire is what sending needs of a transport.
type wire interface {
	Keys() (srtpkeys.Keys, bool)
	Path() (lite.Path, bool)
}

// outbound encrypts what is sent to one peer. There is one context for all of it: two that encrypt with one key would repeat a
// nonce, which breaks GCM.
type outbound struct {
	mu     sync.Mutex
	ctx    *srtp.Context // guarded by mu; nil until there are keys
	header rtp.Header    // guarded by mu; used again for every packet

	history delivery.History // guarded by mu; of what was sent with a transport-wide number
}

// ready makes the context as soon as there are keys. mu is held.
func (o *outbound) ready(t wire) bool {
	if o.ctx != nil {
		return true
	}
	keys, ok := t.Keys()
	if !ok {
		return false
	}
	ctx, err := keys.Outbound()
	if err != nil {
		return false
	}
	o.ctx = ctx
	return true
}

// place is where a datagram is written, and where it goes from there.
type place struct {
	path lite.Path
	via  *link.Outlet
	buf  []byte
}

// place returns room for n bytes and what encryption adds.
func (o *outbound) place(t wire, n int, via *link.Outlet) (place, error) {
	path, ok := t.Path()
	if !ok {
		return place{}, link.ErrNotSending
	}
	p := place{path: path, via: via}
	if path.TCP != nil {
		p.buf = via.Scratch[link.MTU:]
	} else {
		p.buf = via.Writer(path.Number, path.Socket).Slot(n + srtpExtra)
	}
	if len(p.buf) < n+srtpExtra {
		return place{}, link.ErrNotSending
	}
	return p, nil
}

// send lets the datagram b go, which lies in the place.
func (p *place) send(b []byte) {
	if p.path.TCP != nil {
		p.path.TCP.Send(b)
		return
	}
	p.via.Writer(p.path.Number, p.path.Socket).Commit(len(b), p.path.Remote)
}

// rtcp encrypts and sends a compound packet.
func (o *outbound) rtcp(t wire, b []byte, via *link.Outlet) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rtcpLocked(t, b, via)
}

func (o *outbound) rtcpLocked(t wire, b []byte, via *link.Outlet) error {
	if !o.ready(t) {
		return link.ErrNotSending
	}
	p, err := o.place(t, len(b), via)
	if err != nil {
		return err
	}
	encrypted, err := o.ctx.EncryptRTCP(p.buf, b, nil)
	if err != nil {
		return err
	}
	p.send(encrypted)
	return nil
}
