//go:build unix

package lite_test

import (
	_ "embed"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
)

//go:embed testdata/page.html
var page string

// mirror sends a participant's media back on its own slots.
type mirror struct {
	mu  sync.Mutex
	own *lite.Transport // guarded by mu, as all below
	d   *answer.Description
	in  *srtp.Context
	out *srtp.Context
	seq map[uint32]uint16 // by slot
	pli map[uint32]time.Time

	rids map[string]int // packets of simulcast layers
}

func (m *mirror) media(batch []lite.Received) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range batch {
		if r.From == m.own && r.Kind == demux.RTP && m.ready() {
			m.forward(r.Packet.Data)
		}
		r.Packet.Release()
	}
}

func (m *mirror) ready() bool {
	if m.in != nil {
		return true
	}
	keys, ok := m.own.Keys()
	if !ok {
		return false
	}
	in, err := keys.Inbound()
	if err != nil {
		return false
	}
	out, err := keys.Outbound()
	if err != nil {
		return false
	}
	m.in, m.out, m.seq, m.pli, m.rids = in, out, map[uint32]uint16{}, map[uint32]time.Time{}, map[string]int{}
	return true
}

// forward decrypts a packet and sends it on the slot of its kind. Retransmissions are left out.
func (m *mirror) forward(sealed []byte) {
	plain, err := m.in.DecryptRTP(nil, sealed, nil)
	if err != nil {
		return
	}
	var p rtp.Packet
	if p.Unmarshal(plain) != nil || len(p.Payload) == 0 {
		return
	}
	for i := range m.d.Media {
		pub := &m.d.Media[i]
		m.countLayer(pub, &p)
		if !slices.ContainsFunc(pub.Sources, func(s answer.Source) bool { return s.SSRC == p.SSRC }) {
			continue
		}
		for j := range m.d.Media {
			if slot := &m.d.Media[j]; slot.Role == answer.Slot && slot.Kind == pub.Kind {
				m.send(&p, pub, slot)
				return
			}
		}
	}
}

// countLayer notes a packet that says which layer of pub it is of.
func (m *mirror) countLayer(pub *answer.Media, p *rtp.Packet) {
	for _, e := range pub.Extensions {
		if rid := string(p.GetExtension(e.ID)); e.URI == answer.ExtRID && slices.Contains(pub.RIDs, rid) {
			m.rids[rid]++
		}
	}
}

func (m *mirror) send(p *rtp.Packet, pub, slot *answer.Media) {
	if last := m.pli[p.SSRC]; pub.Kind == answer.Video && time.Since(last) > time.Second {
		m.pli[p.SSRC] = time.Now()
		b, _ := (&rtcp.PictureLossIndication{MediaSSRC: p.SSRC}).Marshal()
		if sealed, err := m.out.EncryptRTCP(nil, b, nil); err == nil {
			m.write(sealed)
		}
	}
	m.seq[slot.Out.SSRC]++
	plain, _ := (&rtp.Packet{Header: rtp.Header{
		Version: 2, Marker: p.Marker, PayloadType: slot.Codecs[0].PT, SSRC: slot.Out.SSRC,
		SequenceNumber: m.seq[slot.Out.SSRC], Timestamp: p.Timestamp,
	}, Payload: p.Payload}).Marshal()
	if sealed, err := m.out.EncryptRTP(nil, plain, nil); err == nil {
		m.write(sealed)
	}
}

func (m *mirror) write(b []byte) {
	switch p, ok := m.own.Path(); {
	case !ok:
	case p.TCP != nil:
		p.TCP.Send(b)
	default:
		_ = p.Socket.WriteTo(b, p.Remote)
	}
}

// TestBrowsers runs the page in each browser that TURNOUT_BROWSERS names, as commands separated by commas. They need a
// namespace of their own: TURNOUT_BROWSERS=chromium,firefox-esr web/e2e/in-namespace go test -run TestBrowsers ./sfu/lite
func TestBrowsers(t *testing.T) {
	browsers := os.Getenv("TURNOUT_BROWSERS")
	if browsers == "" {
		t.Skip("TURNOUT_BROWSERS is not set")
	}
	for _, browser := range strings.Split(browsers, ",") {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(browser+"/"+transport, func(t *testing.T) { inBrowser(t, browser, transport) })
		}
	}
}

type result struct {
	Error, State, Echo, SRTP                                 string
	Frames, AudioPackets, AfterRestart, ConnectedAfter, Lost int
}

func inBrowser(t *testing.T, browser, protocol string) {
	m, results := &mirror{}, make(chan result, 1)
	any4 := []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}
	s, err := lite.Open(lite.Config{UDP: any4, TCP: any4, Media: m.media})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	x, err := s.NewTransport(func(e lite.Event) {
		if c, ok := e.(lite.ChannelOpened); ok {
			c.Channel.OnMessage(func(b []byte) { _ = c.Channel.Send(b) })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/offer":
			sdp, d, err := x.Answer(string(body))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			m.mu.Lock()
			m.own, m.d = x, d
			m.mu.Unlock()
			if protocol == "tcp" { // as if UDP were blocked
				sdp = withoutUDP(sdp)
			}
			_, _ = io.WriteString(w, sdp)
		case "/result":
			var got result
			_ = json.Unmarshal(body, &got)
			results <- got
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, page)
		}
	}))
	defer web.Close()
	start(t, browser, web.URL)
	select {
	case got := <-results:
		p, _ := x.Path()
		m.mu.Lock()
		layers := len(m.rids)
		m.mu.Unlock()
		if layers == 0 { // without feedback the browser has bandwidth for the lowest only
			t.Error("no packet says which simulcast layer it is of")
		}
		t.Logf("%+v over %s; profile %v; %+v", got, protocol, profileOf(x), s.Stats().Dropped)
		if got.Error != "" || got.Echo != "hello" || (p.TCP != nil) != (protocol == "tcp") {
			t.Errorf("failed: %+v, path %+v", got, p)
		}
	case <-time.After(90 * time.Second):
		t.Fatalf("no result; state %s, %+v", x.State(), s.Stats())
	}
}

func profileOf(x *lite.Transport) any {
	k, _ := x.Keys()
	return k.Profile()
}

func withoutUDP(sdp string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, "a=candidate:") || strings.Contains(line, " tcp ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// start runs a browser on url until the test ends.
func start(t *testing.T, browser, url string) {
	dir := t.TempDir()
	args := []string{"--headless=new", "--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--user-data-dir=" + dir, url}
	if strings.Contains(browser, "firefox") {
		prefs := `user_pref("media.autoplay.default", 0); user_pref("media.peerconnection.ice.tcp", true);`
		if err := os.WriteFile(dir+"/user.js", []byte(prefs), 0o600); err != nil {
			t.Fatal(err)
		}
		args = []string{"--headless", "--no-remote", "--profile", dir, url}
	}
	c := exec.Command(browser, args...)
	ownGroup(c)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killGroup(c)
		_ = c.Wait()
	})
}
