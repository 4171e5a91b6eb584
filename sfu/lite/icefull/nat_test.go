package icefull

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
)

// A network of two sites and the Internet between them, in virtual time: a server and a client, each behind a NAT or not, and a
// STUN server. Datagrams take a round of the loop.

type datagram struct {
	from, to netip.AddrPort
	raw      []byte
}

// nat is a box between one host and the Internet. It maps the host to one port of its own, or to one for each destination
// (symmetric), and lets in what comes from an address and port that was sent to.
type nat struct {
	public    netip.Addr
	symmetric bool
	mapped    map[netip.AddrPort]uint16 // by destination; the zero key is for all
	sentTo    map[uint16]map[netip.AddrPort]bool
}

func newNAT(public string, symmetric bool) *nat {
	return &nat{netip.MustParseAddr(public), symmetric, map[netip.AddrPort]uint16{}, map[uint16]map[netip.AddrPort]bool{}}
}

func (n *nat) out(to netip.AddrPort) netip.AddrPort {
	key := netip.AddrPort{}
	if n.symmetric {
		key = to
	}
	port, ok := n.mapped[key]
	if !ok {
		port = uint16(40000 + len(n.mapped))
		n.mapped[key], n.sentTo[port] = port, map[netip.AddrPort]bool{}
	}
	n.sentTo[port][to] = true
	return netip.AddrPortFrom(n.public, port)
}

func (n *nat) in(from, to netip.AddrPort) bool { return n.sentTo[to.Port()][from] }

// site is a host with what is in front of it.
type site struct {
	host netip.AddrPort
	nat  *nat // nil for none
	in   []datagram
}

func (s *site) public(to netip.AddrPort) netip.AddrPort {
	if s.nat == nil {
		return s.host
	}
	return s.nat.out(to)
}

func (s *site) takes(d datagram) bool {
	if s.nat == nil {
		return d.to == s.host
	}
	return d.to.Addr() == s.nat.public && s.nat.in(d.from, d.to)
}

type world struct {
	now   time.Time
	sites []*site
}

// send carries a datagram to the site that lets it in.
func (w *world) send(from *site, to netip.AddrPort, raw []byte) {
	if to.Addr().IsPrivate() {
		return // no such host on this side
	}
	d := datagram{from.public(to), to, append([]byte(nil), raw...)}
	for _, s := range w.sites {
		if s.takes(d) {
			s.in = append(s.in, d)
		}
	}
}

var stunServer = netip.MustParseAddrPort("192.0.2.53:3478")

// serveSTUN is the STUN server.
func (w *world) serveSTUN(s *site) {
	for _, d := range s.in {
		var m stun.Message
		m.Raw = d.raw
		_ = m.Decode()
		reply := stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
			&stun.XORMappedAddress{IP: d.from.Addr().AsSlice(), Port: int(d.from.Port())})
		w.send(s, d.from, reply.Raw)
	}
	s.in = nil
}

// server is ours: both halves of the agent.
type server struct {
	*site
	answers *icelite.Agent
	asks    *Checker // nil: ICE-lite
	mapper  *Mapper
	ask     Scratch
	answer  icelite.Scratch
}

func (s *server) step(w *world) {
	for _, d := range s.in {
		path := demux.Path{Remote: d.from}
		switch purpose, _ := demux.PurposeOf(d.raw); purpose {
		case demux.Check:
			r, err := s.answers.Request(w.now, path, d.raw, &s.answer)
			if err != nil {
				continue
			}
			w.send(s.site, d.from, r.Reply)
			if s.asks != nil {
				s.asks.Heard(w.now, path)
			}
		case demux.Reply:
			if s.asks != nil && s.asks.Answered(w.now, path, d.raw, &s.ask) {
				s.answers.Answered(w.now, path)
			}
			s.mapper.Answered(w.now, path, d.raw, &s.ask)
		}
	}
	s.in = nil
	s.answers.Tick(w.now)
	if s.asks != nil {
		egress, ok := s.answers.Egress()
		if !ok {
			egress = demux.Path{}
		}
		s.asks.Follow(w.now, egress)
		if c, ok := s.asks.Poll(w.now, &s.ask); ok {
			w.send(s.site, c.Path.Remote, c.Raw)
		}
	}
	if c, ok := s.mapper.Poll(w.now, &s.ask); ok {
		w.send(s.site, c.Path.Remote, c.Raw)
	}
}

// peer is a client, as simple as it can be: it checks every candidate of the server's again and again, and uses the first that
// answers.
type peer struct {
	*site
	own, theirs icelite.Credentials
	candidates  []netip.AddrPort // of the server
	chosen      netip.AddrPort
	asked       int // checks of the server's that came
}

func (p *peer) step(w *world) {
	for _, d := range p.in {
		var m stun.Message
		m.Raw = d.raw
		if m.Decode() != nil {
			continue
		}
		if m.Type == stun.BindingSuccess {
			if !p.chosen.IsValid() {
				p.chosen = d.from
			}
			continue
		}
		if stun.NewShortTermIntegrity(p.own.Pwd).Check(&m) != nil || !m.Contains(stun.AttrICEControlled) || !m.Contains(stun.AttrPriority) {
			continue
		}
		p.asked++
		p.candidates = append(p.candidates, d.from) // peer-reflexive
		w.send(p.site, d.from, stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
			&stun.XORMappedAddress{IP: d.from.Addr().AsSlice(), Port: int(d.from.Port())},
			stun.NewShortTermIntegrity(p.own.Pwd), stun.Fingerprint).Raw)
	}
	p.in = nil
	to := p.candidates
	if p.chosen.IsValid() {
		to = []netip.AddrPort{p.chosen}
	}
	for _, c := range to {
		w.send(p.site, c, stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(p.theirs.Ufrag+":"+p.own.Ufrag),
			stun.RawAttribute{Type: stun.AttrICEControlling, Value: make([]byte, 8)},
			stun.NewShortTermIntegrity(p.theirs.Pwd), stun.Fingerprint).Raw)
	}
}

// meet lets a server and a client look for a way, for ten seconds, and says whether they found one.
func meet(serverNAT, clientNAT *nat, full bool) (*server, *peer, bool) {
	w := &world{now: time.Unix(1e9, 0)}
	srv := &server{site: &site{host: netip.MustParseAddrPort("10.0.0.1:7882"), nat: serverNAT}}
	cli := &peer{site: &site{host: netip.MustParseAddrPort("10.9.9.9:5000"), nat: clientNAT}}
	if serverNAT == nil {
		srv.host = netip.MustParseAddrPort("192.0.2.1:7882")
	}
	if clientNAT == nil {
		cli.host = netip.MustParseAddrPort("192.0.2.2:5000")
	}
	dns := &site{host: stunServer}
	w.sites = []*site{srv.site, cli.site, dns}
	base := Base{Addr: srv.host}
	srv.mapper = NewMapper(7)
	srv.mapper.Ask(w.now, []Base{base}, []netip.AddrPort{stunServer})
	for range 10 { // the server starts
		srv.answers = icelite.NewAgent(icelite.NewCredentials(), "nobody", icelite.Timing{})
		w.now = w.now.Add(Pace)
		srv.step(w)
		w.serveSTUN(dns)
	}
	ours, theirs := icelite.NewCredentials(), icelite.NewCredentials()
	srv.answers = icelite.NewAgent(ours, theirs.Ufrag, icelite.Timing{})
	cli.own, cli.theirs, cli.candidates = theirs, ours, []netip.AddrPort{srv.host}
	for _, m := range srv.mapper.Mappings() {
		cli.candidates = append(cli.candidates, m.Addr)
	}
	if full {
		srv.asks = NewChecker(9, Limits{})
		srv.asks.Begin(ours, theirs, []Base{base})
		srv.asks.Add(w.now, cli.host)
		srv.asks.Add(w.now, cli.public(stunServer)) // its server-reflexive candidate
	}
	for end := w.now.Add(10 * time.Second); w.now.Before(end); w.now = w.now.Add(Pace) {
		cli.step(w)
		srv.step(w)
		w.serveSTUN(dns)
	}
	_, ok := srv.answers.Egress()
	return srv, cli, ok && cli.chosen.IsValid()
}

func TestWhoFindsAWayThroughWhichNATs(t *testing.T) {
	none := func(string) *nat { return nil }
	cone := func(ip string) *nat { return newNAT(ip, false) }
	symmetric := func(ip string) *nat { return newNAT(ip, true) }
	for _, c := range []struct {
		name           string
		server, client func(string) *nat
		lite, full     bool
	}{
		{"no NAT", none, none, true, true},
		{"client behind a NAT", none, symmetric, true, true},
		{"server behind a NAT", cone, none, false, true},
		{"both behind NATs", cone, cone, false, true},
		{"server behind a symmetric NAT", symmetric, none, false, true},
		{"a symmetric NAT on one side", symmetric, cone, false, false}, // ports are filtered: this needs TURN
		{"symmetric NATs on both sides", symmetric, symmetric, false, false},
	} {
		for _, full := range []bool{false, true} {
			want := c.lite
			if full {
				want = c.full
			}
			if _, _, got := meet(c.server("198.51.100.1"), c.client("203.0.113.1"), full); got != want {
				t.Errorf("%s, full %v: a way was found: %v", c.name, full, got)
			}
		}
	}
}

func TestConsentIsAskedForOnThePathInUseOnly(t *testing.T) {
	_, cli, _ := meet(nil, nil, true)
	// One check of the candidate, and one each 4 to 6 s in ten seconds.
	if cli.asked < 2 || cli.asked > 4 {
		t.Errorf("%d checks came", cli.asked)
	}
}
