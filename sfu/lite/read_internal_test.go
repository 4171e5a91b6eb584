package lite

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/lite/record"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// A client that is quick sends its ClientHello before our answer to its first check has arrived: both may come in one batch.
func TestHelloInOneBatchWithTheFirstCheckIsTaken(t *testing.T) {
	s := open(t, netip.MustParseAddr("127.0.0.1"))
	x, err := s.NewTransport(func(Event) {})
	if err != nil {
		t.Fatal(err)
	}
	local, err := s.register(x)
	if err != nil {
		t.Fatal(err)
	}
	x.restart(local, icelite.Credentials{Ufrag: "theirs", Pwd: "password"})
	check := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(local.Ufrag+":theirs"),
		stun.NewShortTermIntegrity(local.Pwd), stun.Fingerprint)
	from := netip.MustParseAddrPort("127.0.0.1:9")
	r, pack := &reader{server: s, port: s.port(0), out: s.NewOutlet()}, netio.NewPacker()
	hello := func(b []byte) (taken bool) {
		r.packets[0], r.packets[1] = pack.Pack(b, from), pack.Pack(head(record.Handshake, 0, 0), from)
		r.handle(time.Now(), 2)
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.queue != nil || x.life.shaken
	}
	if hello([]byte{200}) || s.Stats().Dropped[DropStranger] != 1 {
		t.Error("a stranger's hello was taken")
	}
	if !hello(check.Raw) {
		t.Error("the hello was dropped")
	}
}
