package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/client"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

const secret = "a secret of at least thirty-two bytes"

// server is a real control plane over a real media plane, on loopback.
type server struct {
	t     *testing.T
	url   string
	relay *turn.Server
}

func newServer(t *testing.T, change ...func(*signaling.Config)) *server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	media, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0"}, log)
	if err != nil {
		t.Fatal(err)
	}
	cfg := signaling.Config{Keys: map[string]string{"key": secret}}
	for _, f := range change {
		f(&cfg)
	}
	var allow []netip.AddrPort
	for _, a := range media.Advertised() {
		allow = append(allow, a.Addr)
	}
	relay, err := turn.New(turn.Config{Enabled: true, UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Secret: secret}, allow, log)
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := signaling.New(cfg, signaling.Planes{Media: media, Data: datachannel.Config{}, TURN: relay}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	rooms.Register(mux)
	h := httptest.NewServer(mux)
	t.Cleanup(func() {
		rooms.Close()
		h.Close()
		if err := errors.Join(relay.Close(), media.Close()); err != nil {
			t.Error(err)
		}
	})
	return &server{t: t, url: h.URL, relay: relay}
}

func token(t *testing.T, identity string, change ...func(*auth.Token)) string {
	t.Helper()
	claims := auth.Token{Room: "lobby", Identity: identity, Grants: auth.DefaultGrants(), Expires: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&claims)
	}
	signed, err := auth.Mint("key", secret, claims)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// someone is a participant whose events the test can wait for.
type someone struct {
	*client.Room
	t      *testing.T
	events chan client.Event
	passed []client.Event // that nothing has awaited yet
}

func (s *server) join(identity string, change ...func(*client.Options)) *someone {
	s.t.Helper()
	p := &someone{t: s.t, events: make(chan client.Event, 4096)}
	o := client.Options{
		OnEvent: func(e client.Event) { p.events <- e },
		Engine: func(e *webrtc.SettingEngine) {
			e.SetIncludeLoopbackCandidate(true)
			e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
		},
		Backoff: func(attempt int) time.Duration { return time.Duration(attempt) * 10 * time.Millisecond },
	}
	for _, f := range change {
		f(&o)
	}
	room, err := client.Join(s.t.Context(), s.url, token(s.t, identity), o)
	if err != nil {
		s.t.Fatalf("%s cannot join: %v", identity, err)
	}
	p.Room = room
	s.t.Cleanup(room.Close)
	return p
}

// await returns the first event of type E that fits and that was not awaited before.
func await[E client.Event](p *someone, fits func(E) bool) E {
	p.t.Helper()
	for i, e := range p.passed {
		if e, ok := e.(E); ok && (fits == nil || fits(e)) {
			p.passed = slices.Delete(p.passed, i, i+1)
			return e
		}
	}
	deadline := time.After(patience)
	for {
		select {
		case e := <-p.events:
			if e, ok := e.(E); ok && (fits == nil || fits(e)) {
				return e
			}
			p.passed = append(p.passed, e)
		case <-deadline:
			var want E
			p.t.Fatalf("%s: no %T; %v", p.Self().Identity, want, p.Err())
		}
	}
}

// speak publishes a track and writes packets with rising payloads to it until the test ends.
func (p *someone) speak(mime, source string) *client.Publication {
	p.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, "track", "stream")
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	pub, err := p.Publish(ctx, track, source)
	if err != nil {
		p.t.Fatalf("%s cannot publish: %v", p.Self().Identity, err)
	}
	stop := make(chan struct{})
	var talking sync.WaitGroup
	talking.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := uint16(0); ; n++ {
			payload := []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00, byte(n)} // as VP8: a key frame each
			packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960, Marker: true}, Payload: payload}
			if track.WriteRTP(packet) != nil {
				return
			}
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	})
	p.t.Cleanup(func() { close(stop); talking.Wait() })
	return pub
}

// hear reads packets of a track until there are count.
func hear(t *testing.T, track *client.Track, count int) {
	t.Helper()
	if err := listen(t.Context(), track, count); err != nil {
		t.Fatalf("%s of %s: %v", track.Publication.Source, track.Participant.Identity, err)
	}
}

func listen(ctx context.Context, track *client.Track, count int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range count {
		if _, err := track.ReadRTP(ctx); err != nil {
			return err
		}
	}
	return nil
}

func TestTwoParticipantsHearAndSeeEachOther(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada, bob := s.join("ada"), s.join("bob")
	if got := await[client.ParticipantJoined](ada, nil).Participant.Identity; got != "bob" {
		t.Errorf("ada sees %q join", got)
	}
	voice := ada.speak(webrtc.MimeTypeOpus, protocol.Microphone)
	picture := bob.speak(webrtc.MimeTypeVP8, protocol.Camera)

	heard := await[client.TrackStarted](bob, nil).Track
	if heard.Publication.ID != voice.ID() || heard.Participant.Identity != "ada" || heard.Publication.Source != protocol.Microphone {
		t.Errorf("bob hears %+v of %s", heard.Publication, heard.Participant.Identity)
	}
	hear(t, heard, 20)
	seen := await[client.TrackStarted](ada, nil).Track
	hear(t, seen, 20)
	if seen.Publication.ID != picture.ID() || seen.Codec().MimeType != webrtc.MimeTypeVP8 {
		t.Errorf("ada sees %+v as %s", seen.Publication, seen.Codec().MimeType)
	}

	if err := voice.Mute(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if !await[client.PublicationUpdated](bob, nil).Publication.Muted {
		t.Error("bob does not learn that ada is mute")
	}
	if err := voice.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := await[client.Unpublished](bob, nil).Publication.ID; got != voice.ID() {
		t.Errorf("bob is told that %s has ended", got)
	}
	if err := ada.Leave(t.Context()); err != nil || !errors.Is(ada.Err(), client.ErrLeft) {
		t.Errorf("leaving: %v, ended with %v", err, ada.Err())
	}
	if left := await[client.ParticipantLeft](bob, nil); left.Participant.Identity != "ada" || left.Reason != protocol.Left {
		t.Errorf("bob sees %s leave: %s", left.Participant.Identity, left.Reason)
	}
}

func TestALateOneReceivesWhatIsThere(t *testing.T) {
	s := newServer(t)
	ada := s.join("ada")
	for range 3 { // more than the slots of the first offer, see below
		ada.speak(webrtc.MimeTypeVP8, "extra")
	}
	bob := s.join("bob")
	got := map[string]bool{}
	for range 3 {
		track := await[client.TrackStarted](bob, nil).Track
		hear(t, track, 3)
		got[track.Publication.ID] = true
	}
	if len(got) != 3 {
		t.Errorf("bob receives %d different publications", len(got))
	}
	if everybody := bob.Participants(); len(everybody) != 2 || len(everybody[1].Publications) != 3 {
		t.Errorf("bob's room is %+v", everybody)
	}
}

func TestSlotsAreAddedWhenThereAreTooFew(t *testing.T) {
	s := newServer(t, func(c *signaling.Config) { c.AudioSlots, c.VideoSlots = 1, 1 })
	ada, bob := s.join("ada"), s.join("bob")
	for range 3 {
		ada.speak(webrtc.MimeTypeVP8, "extra")
	}
	got := map[string]bool{}
	for len(got) < 3 {
		track := await[client.TrackStarted](bob, nil).Track
		hear(t, track, 3)
		got[track.Publication.ID] = true
	}
}

func TestMessagesReachWhoTheyAreFor(t *testing.T) {
	for name, wire := range map[string]func(*client.Options){
		"over data channels": func(*client.Options) {},
		"over the WebSocket": overSocket,
	} {
		t.Run(name, func(t *testing.T) { messagesReach(t, wire) })
	}
}

func overSocket(o *client.Options) { o.SocketData = true }

func messagesReach(t *testing.T, wire func(*client.Options)) {
	s := newServer(t)
	ada, bob, eve := s.join("ada", wire), s.join("bob", wire), s.join("eve")
	for _, p := range []*someone{ada, bob, eve} {
		await[client.DataOpened](p, nil)
	}
	large := strings.Repeat("large ", 20_000)
	for _, m := range []client.Message{
		{Topic: "notes", Payload: []byte("to all")},
		{Topic: "notes", Payload: []byte(large)},
		{Topic: "notes", Payload: []byte("to bob"), To: []string{"bob"}},
	} {
		if _, err := ada.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := ada.Chat("hello"); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[*someone][]string{bob: {"to all", large, "to bob"}, eve: {"to all", large}} {
		for _, text := range want {
			if m := await[client.MessageReceived](p, nil); m.From != "ada" || m.Topic != "notes" || string(m.Payload) != text {
				t.Errorf("%s got %.20q of %s on %s, want %.20q", p.Self().Identity, m.Payload, m.From, m.Topic, text)
			}
		}
		if text, ok := await[client.MessageReceived](p, nil).Chat(); !ok || text != "hello" {
			t.Errorf("%s got %q as chat, %v", p.Self().Identity, text, ok)
		}
	}
	if err := bob.SetPresence([]byte("here")); err != nil {
		t.Fatal(err)
	}
	present := await(ada, func(e client.PresenceChanged) bool { return len(e.Entries) == 1 }).Entries[0]
	if present.Identity != "bob" || string(present.Data) != "here" {
		t.Errorf("presence %+v", present)
	}
	id, err := ada.Send(client.Message{Topic: "notes", To: []string{"nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	if refused := await[client.DataRefused](ada, nil); refused.ID != id || refused.Err.Code != "data.noRecipient" {
		t.Errorf("refused %d: %v, want %d", refused.ID, refused.Err, id)
	}
}

// cable is a TCP dialer whose connections can be cut.
type cable struct {
	mu    sync.Mutex
	conns []net.Conn
	cutIn int // dials that fail from now on
}

func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cutIn > 0 {
		c.cutIn--
		return nil, errors.New("no network")
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) cut(failures int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutIn = failures
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func TestDataOverTheWebSocketGoesOnOverTheNext(t *testing.T) {
	s := newServer(t)
	line := &cable{}
	ada := s.join("ada", overSocket, func(o *client.Options) { o.Dial = line.dial })
	bob := s.join("bob")
	for _, p := range []*someone{ada, bob} {
		await[client.DataOpened](p, nil)
	}
	const rounds, each = 5, 40
	for round := range rounds {
		for i := range each {
			if _, err := ada.Send(client.Message{Topic: "t", Payload: fmt.Appendf(nil, "%d", round*each+i)}); err != nil {
				t.Fatal(err)
			}
			if _, err := bob.Send(client.Message{Topic: "t", Payload: fmt.Appendf(nil, "%d", round*each+i)}); err != nil {
				t.Fatal(err)
			}
			if i == each/2 {
				line.cut(round % 2)
			}
		}
		for _, p := range []*someone{ada, bob} {
			for i := range each {
				if m := await[client.MessageReceived](p, nil); string(m.Payload) != fmt.Sprint(round*each+i) {
					t.Fatalf("%s got %s, want %d", p.Self().Identity, m.Payload, round*each+i)
				}
			}
		}
	}
	for _, e := range append(ada.passed, bob.passed...) {
		if lost, ok := e.(client.DataLost); ok {
			t.Errorf("lost: %+v", lost)
		}
	}
}

func TestACutWebSocketIsResumedAndNothingIsLost(t *testing.T) {
	s := newServer(t)
	line := &cable{}
	ada := s.join("ada")
	bob := s.join("bob", func(o *client.Options) { o.Dial = line.dial })
	ada.speak(webrtc.MimeTypeOpus, protocol.Microphone)
	track := await[client.TrackStarted](bob, nil).Track
	hear(t, track, 5)

	bob.passed = nil
	line.cut(3)
	await(bob, func(e client.StateChanged) bool { return e.State == client.Reconnecting })
	ada.speak(webrtc.MimeTypeVP8, protocol.Camera) // while bob cannot be told
	if err := ada.Update(t.Context(), protocol.Update{Attributes: map[string]string{"hand": "up"}}); err != nil {
		t.Fatal(err)
	}
	hear(t, track, 5) // media does not care
	await(bob, func(e client.StateChanged) bool { return e.State == client.Connected })
	if p := await[client.Published](bob, nil); p.Publication.Source != protocol.Camera {
		t.Errorf("bob learns of %+v", p.Publication)
	}
	if p := await[client.ParticipantUpdated](bob, nil); p.Participant.Attributes["hand"] != "up" {
		t.Errorf("bob learns of %+v", p.Participant)
	}
	if err := bob.Update(t.Context(), protocol.Update{}); err != nil {
		t.Errorf("a request on the new WebSocket: %v", err)
	}
	for len(ada.events) > 0 {
		ada.passed = append(ada.passed, <-ada.events)
	}
	for _, e := range ada.passed {
		if e, left := e.(client.ParticipantLeft); left {
			t.Errorf("ada saw %s leave", e.Participant.Identity)
		}
	}
}

func TestARequestUnderWayAtTheCutIsAnsweredOnce(t *testing.T) {
	s := newServer(t)
	line := &cable{}
	ada, bob := s.join("ada"), s.join("bob", func(o *client.Options) { o.Dial = line.dial })
	await[client.ParticipantJoined](ada, nil)
	for range 10 {
		result := make(chan error, 1)
		go func() { result <- bob.Update(t.Context(), protocol.Update{Attributes: map[string]string{"n": "1"}}) }()
		line.cut(0)
		if err := <-result; err != nil {
			t.Fatal(err)
		}
	}
}

func TestMediaGoesOnThroughARestartAndANewTransport(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada, bob := s.join("ada"), s.join("bob")
	voice := ada.speak(webrtc.MimeTypeOpus, protocol.Microphone)
	await[client.DataOpened](bob, nil)
	hear(t, await[client.TrackStarted](bob, nil).Track, 5)

	client.Need(bob.Room, protocol.ICERestart)
	client.Need(ada.Room, protocol.ICERestart)
	client.Need(bob.Room, protocol.NewTransport)
	again := await[client.TrackStarted](bob, nil).Track
	if again.Publication.ID != voice.ID() {
		t.Errorf("bob hears %+v", again.Publication)
	}
	hear(t, again, 5)
	if err := bob.Chat("still here"); err != nil {
		t.Fatal(err)
	}
	if text, _ := await[client.MessageReceived](ada, nil).Chat(); text != "still here" {
		t.Errorf("ada reads %q", text)
	}

	client.Need(ada.Room, protocol.NewTransport) // what ada publishes begins anew
	await(bob, func(e client.Published) bool { return e.Publication.ID == voice.ID() })
	err := io.EOF
	for errors.Is(err, io.EOF) { // it is published before bob knows that its slot was emptied: what starts then ends again
		err = listen(t.Context(), await[client.TrackStarted](bob, nil).Track, 5)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMediaAndDataOverTURNAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada := s.join("ada")
	bob := s.join("bob", func(o *client.Options) { o.RelayOnly = true })
	ada.speak(webrtc.MimeTypeOpus, protocol.Microphone)
	bob.speak(webrtc.MimeTypeVP8, protocol.Camera)
	hear(t, await[client.TrackStarted](bob, nil).Track, 10)
	hear(t, await[client.TrackStarted](ada, nil).Track, 10)
	if got := s.relay.Stats(); got.Up.Packets < 10 || got.Down.Packets < 10 {
		t.Errorf("TURN relayed %d packets up and %d down", got.Up.Packets, got.Down.Packets)
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t, func(c *signaling.Config) { c.Duplicate = "reject" })
	s.join("ada")
	for want, signed := range map[protocol.Code]string{
		protocol.AuthMissing:   "",
		protocol.AuthInvalid:   "abc",
		protocol.AuthExpired:   token(t, "late", func(c *auth.Token) { c.Expires = time.Now().Add(-time.Hour) }),
		protocol.IdentityTaken: token(t, "ada"),
	} {
		room, err := client.Join(t.Context(), s.url, signed, client.Options{})
		var refused *protocol.Error
		if !errors.As(err, &refused) || refused.Code != want {
			t.Errorf("%s: %v", want, err)
		}
		if room != nil {
			room.Close()
		}
	}
	mute, err := client.Join(t.Context(), s.url, token(t, "mute", func(c *auth.Token) { c.Grants.Publish = false }), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "track", "stream")
	if err != nil {
		t.Fatal(err)
	}
	var refused *protocol.Error
	if _, err := mute.Publish(t.Context(), track, protocol.Microphone); !errors.As(err, &refused) || refused.Code != protocol.AuthForbidden {
		t.Errorf("publishing without the right: %v", err)
	}
	if err := mute.Kick(t.Context(), "ada", ""); !errors.As(err, &refused) || refused.Code != protocol.AuthForbidden {
		t.Errorf("kicking without the right: %v", err)
	}
	if mute.Err() != nil {
		t.Errorf("a refusal ended the room: %v", mute.Err())
	}
}

func TestWhoIsKickedIsToldWhy(t *testing.T) {
	s := newServer(t)
	bob := s.join("bob")
	admin, err := client.Join(t.Context(), s.url, token(t, "admin", func(c *auth.Token) { c.Grants.Admin = true }), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.Kick(t.Context(), "bob", "enough"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-bob.Done():
	case <-time.After(patience):
		t.Fatal("bob is still there")
	}
	var why *client.DisconnectError
	if !errors.As(bob.Err(), &why) || why.Reason != protocol.Kicked {
		t.Errorf("bob's room ended with %v", bob.Err())
	}
}

func TestWhoDoesNotHandleEventsIsTold(t *testing.T) {
	s := newServer(t)
	blocked := make(chan struct{})
	slow := s.join("slow", func(o *client.Options) {
		o.QueueEvents = 3
		o.OnEvent = func(client.Event) { <-blocked }
	})
	for i := range 6 {
		s.join(string(rune('a' + i)))
	}
	deadline := time.After(patience)
	for slow.Err() == nil {
		select {
		case <-deadline:
			t.Fatal("nothing happened")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if !errors.Is(slow.Err(), client.ErrSlow) {
		t.Errorf("ended with %v", slow.Err())
	}
	close(blocked)
}
