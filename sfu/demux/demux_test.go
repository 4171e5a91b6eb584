package demux

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func TestClassifyByFirstBytes(t *testing.T) {
	long := func(first ...byte) []byte { return append(first, make([]byte, 30)...) }
	for _, c := range []struct {
		b    []byte
		want Kind
	}{
		{nil, Unknown}, {[]byte{128}, Unknown}, {long(0, 1)[:19], Unknown}, {long(22)[:12], Unknown}, {long(128, 96)[:11], Unknown},
		{long(0, 1), STUN}, {long(3, 255), STUN}, {long(4), Unknown}, {long(19), Unknown},
		{long(20), DTLS}, {long(63), DTLS}, {long(64), Channel}, {long(79), Channel}, {long(80), Channel}, {long(127), Channel},
		{long(64)[:4], Channel}, {long(64)[:3], Unknown},
		{long(128, 96), RTP}, {long(191, 191), RTP}, {long(128, 224), RTP}, {long(192), Unknown}, {long(255), Unknown},
		{long(128, 192), RTCP}, {long(128, 201), RTCP}, {long(129, 223), RTCP}, {long(128, 201)[:8], RTCP},
	} {
		if got := Classify(c.b); got != c.want {
			t.Errorf("%d bytes %v: %v, want %v", len(c.b), c.b[:min(2, len(c.b))], got, c.want)
		}
	}
}

func request(setters ...stun.Setter) []byte {
	return stun.MustBuild(append([]stun.Setter{stun.TransactionID, stun.BindingRequest}, setters...)...).Raw
}

func TestBindingUfragIsTheFirstPart(t *testing.T) {
	integrity := stun.NewShortTermIntegrity("password")
	ok := request(stun.NewUsername("ours:theirs"), integrity, stun.Fingerprint)
	for _, c := range []struct {
		name string
		b    []byte
		want string
		err  error
	}{
		{"request", ok, "ours", nil},
		{"other attributes first", request(stun.NewSoftware("abcde"), stun.NewUsername("a:b")), "a", nil},
		{"no username", request(integrity), "", ErrNoUsername},
		{"no colon", request(stun.NewUsername("ours")), "", ErrNoUsername},
		{"nothing before the colon", request(stun.NewUsername(":theirs")), "", ErrNoUsername},
		{"username too long", request(stun.RawAttribute{Type: stun.AttrUsername, Value: []byte("a:" + strings.Repeat("b", 600))}), "", ErrNoUsername},
		{"username not covered by integrity", request(integrity, stun.RawAttribute{Type: stun.AttrUsername, Value: []byte("a:b")}), "", ErrNoUsername},
		{"response", stun.MustBuild(stun.TransactionID, stun.BindingSuccess, stun.NewUsername("a:b")).Raw, "", ErrNotBinding},
		{"cut short", ok[:len(ok)-4], "", ErrMalformed},
		{"too long", append(slices.Clone(ok), 0, 0, 0, 0), "", ErrMalformed},
		{"header only", ok[:20], "", ErrMalformed},
		{"nothing", nil, "", ErrMalformed},
	} {
		got, err := BindingUfrag(c.b)
		if string(got) != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q %v, want %q %v", c.name, got, err, c.want, c.err)
		}
	}
	lying := slices.Clone(ok) // the username claims to reach past the end
	lying[22], lying[23] = 0x7f, 0xff
	if _, err := BindingUfrag(lying); !errors.Is(err, ErrMalformed) {
		t.Errorf("attribute past the end: %v", err)
	}
}

func TestPurposeOfSTUN(t *testing.T) {
	build := func(m stun.Method, c stun.MessageClass, s ...stun.Setter) []byte {
		return stun.MustBuild(append([]stun.Setter{stun.TransactionID, stun.NewType(m, c)}, s...)...).Raw
	}
	check := request(stun.NewUsername("ours:theirs"))
	for _, c := range []struct {
		name string
		b    []byte
		want Purpose
	}{
		{"check", check, Check},
		{"check that is cut short", check[:len(check)-4], Useless},
		{"request of nobody", request(), Query},
		{"request of somebody else", request(stun.NewUsername("alice")), Query},
		{"success", build(stun.MethodBinding, stun.ClassSuccessResponse, stun.NewUsername("ours:theirs")), Reply},
		{"error", build(stun.MethodBinding, stun.ClassErrorResponse), Reply},
		{"keep-alive", build(stun.MethodBinding, stun.ClassIndication), Useless},
		{"allocate", build(stun.MethodAllocate, stun.ClassRequest, stun.NewUsername("ours:theirs")), Query},
		{"send indication", build(stun.MethodSend, stun.ClassIndication), Query},
		{"nothing", nil, Useless},
	} {
		if got, ufrag := PurposeOf(c.b); got != c.want || (string(ufrag) == "ours") != (c.want == Check) {
			t.Errorf("%s: %v with %q, want %v", c.name, got, ufrag, c.want)
		}
	}
}

func FuzzBindingUfrag(f *testing.F) {
	f.Add(request(stun.NewUsername("ours:theirs"), stun.NewShortTermIntegrity("p"), stun.Fingerprint))
	f.Add(request(stun.NewSoftware("x"), stun.NewUsername("a:b")))
	f.Add([]byte{0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 20: 0, 21: 6, 22: 255, 23: 255, 27: 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		Classify(b)
		got, err := BindingUfrag(b)
		if p, ufrag := PurposeOf(b); (p == Check) != (err == nil) || !bytes.Equal(ufrag, got) {
			t.Fatalf("purpose %v with ufrag %q, but %q and %v", p, ufrag, got, err)
		}
		if err != nil {
			return
		}
		// What the library decodes to its end, it reads the same way.
		m := &stun.Message{Raw: slices.Clone(b)}
		if m.Decode() != nil {
			return
		}
		u, err := m.Get(stun.AttrUsername)
		if err != nil || !bytes.HasPrefix(u, append(slices.Clone(got), ':')) {
			t.Fatalf("ufrag %q of username %q, %v", got, u, err)
		}
	})
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func path(i int) Path {
	return Path{Socket: i % 2, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1000)}
}

func TestPathOfALivingOwnerIsNotTaken(t *testing.T) {
	tab := NewTable[string](Limits{Alive: 10 * time.Second})
	_ = tab.AddUfrag("va", "victim")
	_ = tab.AddUfrag("aa", "attacker")
	if err := tab.Bind(start, path(1), "victim"); err != nil {
		t.Fatal(err)
	}
	if err := tab.Bind(start.Add(9*time.Second), path(1), "attacker"); !errors.Is(err, ErrPathTaken) {
		t.Fatalf("taken from a living owner: %v", err)
	}
	if o, _ := tab.ByPath(path(1)); o != "victim" {
		t.Fatalf("path of %s", o)
	}
	if err := tab.Bind(start.Add(10*time.Second), path(1), "attacker"); err != nil {
		t.Fatalf("a port reused after its owner fell silent: %v", err)
	}
	tab.Remove("victim") // must not take what is no longer the victim's
	if o, _ := tab.ByPath(path(1)); o != "attacker" {
		t.Fatalf("path of %q", o)
	}
}

func TestRestartKeepsPathsAndRoutesBothUfrags(t *testing.T) {
	tab := NewTable[string](Limits{})
	_ = tab.AddUfrag("old", "a")
	_ = tab.Bind(start, path(1), "a")
	_ = tab.AddUfrag("new", "a")
	_ = tab.AddUfrag("new", "a")
	if err := tab.AddUfrag("new", "b"); !errors.Is(err, ErrUfragTaken) {
		t.Fatalf("%v", err)
	}
	tab.RemoveUfrag("old")
	if _, ok := tab.ByUfrag([]byte("old")); ok {
		t.Error("the old ufrag is still routed")
	}
	if o, _ := tab.ByUfrag([]byte("new")); o != "a" {
		t.Error("the new ufrag is not routed")
	}
	if o, _ := tab.ByPath(path(1)); o != "a" {
		t.Error("the path was lost")
	}
	tab.Remove("a")
	if len(tab.ufrags)+len(tab.paths)+len(tab.owners) != 0 {
		t.Errorf("left behind: %+v", tab)
	}
	if err := tab.Bind(start, path(1), "a"); !errors.Is(err, ErrNoOwner) {
		t.Errorf("a removed owner bound a path: %v", err)
	}
}

// TestTableAgainstModel compares with a list of all that was bound, searched from its end.
func TestTableAgainstModel(t *testing.T) {
	const alive, limit = 10 * time.Second, 3
	type bound struct {
		p Path
		o int
		t time.Time
	}
	rng := rand.New(rand.NewPCG(3, 4))
	tab, now := NewTable[int](Limits{Paths: limit, Alive: alive}), start
	var model []bound
	live := map[int]bool{}
	find := func(p Path) int { return slices.IndexFunc(model, func(b bound) bool { return b.p == p }) }
	for step := range 20000 {
		now = now.Add(time.Duration(rng.IntN(2000)) * time.Millisecond)
		o, p := rng.IntN(4), path(rng.IntN(8))
		switch rng.IntN(10) {
		case 0:
			tab.Remove(o)
			live[o] = false
			model = slices.DeleteFunc(model, func(b bound) bool { return b.o == o })
		case 1, 2:
			_ = tab.AddUfrag(string(rune('a'+o)), o)
			live[o] = true
		case 3:
			if socket := rng.IntN(20); socket < 2 {
				tab.RemoveSocket(socket)
				model = slices.DeleteFunc(model, func(b bound) bool { return b.p.Socket == socket })
			}
		default:
			may := tab.MayBind(now, p, o)
			err := tab.Bind(now, p, o)
			if may != (err == nil) {
				t.Fatalf("step %d: MayBind said %v, Bind %v", step, may, err)
			}
			i := find(p)
			switch {
			case !live[o]:
				if !errors.Is(err, ErrNoOwner) {
					t.Fatalf("step %d: %v", step, err)
				}
			case i >= 0 && model[i].o != o && now.Sub(model[i].t) < alive:
				if !errors.Is(err, ErrPathTaken) {
					t.Fatalf("step %d: %v", step, err)
				}
			default:
				if err != nil {
					t.Fatalf("step %d: %v", step, err)
				}
				if i >= 0 {
					model = slices.Delete(model, i, i+1)
				}
				model = append(model, bound{p, o, now}) // in the order heard
				var mine []int
				for j := range model {
					if model[j].o == o {
						mine = append(mine, j)
					}
				}
				if len(mine) > limit {
					model = slices.Delete(model, mine[0], mine[0]+1)
				}
			}
		}
		if len(model) != len(tab.paths) {
			t.Fatalf("step %d: %d paths, want %d", step, len(tab.paths), len(model))
		}
		for _, b := range model {
			if o, ok := tab.ByPath(b.p); !ok || o != b.o {
				t.Fatalf("step %d: path of %d %v, want %d", step, o, ok, b.o)
			}
		}
	}
}

func TestRoutingAllocatesNothing(t *testing.T) {
	tab := NewTable[*int](Limits{})
	o := new(int)
	_ = tab.AddUfrag("ours", o)
	_ = tab.Bind(start, path(1), o)
	req := request(stun.NewUsername("ours:theirs"))
	if n := testing.AllocsPerRun(100, func() {
		u, _ := BindingUfrag(req)
		if got, _ := tab.ByUfrag(u); got != o || Classify(req) != STUN {
			t.Fatal("not found")
		}
		if got, _ := tab.ByPath(path(1)); got != o || tab.Bind(start, path(1), o) != nil {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkByPath(b *testing.B) {
	tab := NewTable[*int](Limits{})
	o := new(int)
	_ = tab.AddUfrag("ours", o)
	_ = tab.Bind(start, path(1), o)
	pkt := append([]byte{128, 96}, make([]byte, 20)...)
	b.ReportAllocs()
	for b.Loop() {
		if Classify(pkt) == RTP {
			tab.ByPath(path(1))
		}
	}
}
