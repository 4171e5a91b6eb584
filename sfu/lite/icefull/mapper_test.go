package icefull

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
)

func mapped(t *testing.T, query []byte, addr string) []byte {
	t.Helper()
	m := stun.Message{Raw: query}
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddrPort(addr)
	return stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}).Raw
}

func TestMappingIsWhatTheServerSaysUntilItIsSilent(t *testing.T) {
	m := NewMapper(3)
	if _, ok := m.Next(); ok || !m.Settled() {
		t.Error("nobody is to be asked, but something is due")
	}
	m.Ask(start, []Base{local4, local6, inside}, []netip.AddrPort{stunServer})
	if m.Settled() {
		t.Error("settled before the first question")
	}
	var s Scratch
	q, ok := m.Poll(start, &s)
	if !ok || Tag(q.Raw) != 3 || q.Path != (demux.Path{Socket: 0, Remote: stunServer}) {
		t.Fatalf("%+v, %v", q, ok)
	}
	raw := append([]byte(nil), q.Raw...)
	reply := mapped(t, raw, "198.51.100.1:40000")
	for name, try := range map[string]bool{
		"another server":      m.Answered(start, demux.Path{Remote: them4}, reply, &s),
		"another socket":      m.Answered(start, demux.Path{Socket: 2, Remote: stunServer}, reply, &s),
		"no address":          m.Answered(start, q.Path, answer(t, raw, "x"), &s),
		"another question":    m.Answered(start, q.Path, mapped(t, stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw, "198.51.100.1:1"), &s),
		"an unusable address": m.Answered(start, q.Path, mapped(t, raw, "0.0.0.0:5"), &s),
		"another family":      m.Answered(start, q.Path, mapped(t, raw, "[2001:db8::9]:5"), &s),
	} {
		if try {
			t.Errorf("%s: taken", name)
		}
	}
	if !m.Answered(start, q.Path, reply, &s) || !m.Settled() {
		t.Error("the answer was not taken")
	}
	want := []Mapping{{local4, netip.MustParseAddrPort("198.51.100.1:40000")}}
	if !slices.Equal(m.Mappings(), want) {
		t.Error(m.Mappings())
	}
	// A refresh that is not answered is sent again, and then the mapping is not believed in any more.
	now, n := start, 0
	for n < triesToMap+1 {
		next, _ := m.Next()
		now = next
		if _, ok := m.Poll(now, &s); ok {
			n++
		}
	}
	if now.Sub(start) < refreshEvery || len(m.Mappings()) != 0 {
		t.Errorf("after %v: %v", now.Sub(start), m.Mappings())
	}
}

func TestAddressThatNoNATChangesIsNoMapping(t *testing.T) {
	m := NewMapper(3)
	m.Ask(start, []Base{local4}, []netip.AddrPort{stunServer, them4})
	var s Scratch
	q, _ := m.Poll(start, &s)
	m.Answered(start, q.Path, mapped(t, append([]byte(nil), q.Raw...), local4.Addr.String()), &s)
	if len(m.Mappings()) != 0 {
		t.Error(m.Mappings())
	}
	m.Ask(start, []Base{local4}, []netip.AddrPort{them4}) // the one that answered is gone, the other is yet to be asked
	if q, ok := m.Poll(start.Add(time.Second), &s); !ok || q.Path.Remote != them4 {
		t.Error(q, ok)
	}
}
