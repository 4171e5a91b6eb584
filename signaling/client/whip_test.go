package client_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/client"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip/sdp"
)

// caller is a program that knows WebRTC and HTTP, and nothing of this server's protocol.
type caller struct {
	t      *testing.T
	server *server
	pc     *webrtc.PeerConnection
	token  string

	location, etag, answer string
	links                  []string
	connected              chan struct{} // one for each time
	tracks                 chan *webrtc.TrackRemote
}

func (s *server) caller(signed string) *caller {
	s.t.Helper()
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		s.t.Fatal(err)
	}
	c := &caller{t: s.t, server: s, pc: pc, token: signed, connected: make(chan struct{}, 8), tracks: make(chan *webrtc.TrackRemote, 8)}
	pc.OnICEConnectionStateChange(func(state webrtc.ICEConnectionState) {
		if state == webrtc.ICEConnectionStateConnected {
			c.connected <- struct{}{}
		}
	})
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.tracks <- t })
	s.t.Cleanup(func() { _ = pc.GracefulClose() })
	return c
}

// request sends one and returns what came of it.
func (c *caller) request(method, path, kind, body string, header ...string) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", kind)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return response, string(b)
}

// call offers what the PeerConnection has and waits until it is connected.
func (c *caller) call(path string) {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.pc.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	response, body := c.request(http.MethodPost, path, "application/sdp", offer.SDP)
	if response.StatusCode != http.StatusCreated {
		c.t.Fatalf("%s: %d %s", path, response.StatusCode, body)
	}
	c.location, c.etag, c.answer, c.links = response.Header.Get("Location"), response.Header.Get("ETag"), body, response.Header.Values("Link")
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: body}); err != nil {
		c.t.Fatalf("%v of\n%s", err, body)
	}
	c.awaitConnected()
}

func (c *caller) awaitConnected() {
	c.t.Helper()
	select {
	case <-c.connected:
	case <-time.After(patience):
		c.t.Fatal("never connected")
	}
}

// send adds a track on which packets with rising payloads are written until the test ends.
func (c *caller) send(mime string) {
	c.t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, mime[:5], "stream")
	if err != nil {
		c.t.Fatal(err)
	}
	transceiver, err := c.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		c.t.Fatal(err)
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			if _, _, err := transceiver.Sender().ReadRTCP(); err != nil {
				return
			}
		}
	})
	running.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := uint16(0); ; n++ {
			payload := []byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 0x10, 0x00, 0x10, 0x00, byte(n)} // as VP8: a key frame each
			if track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960, Marker: true}, Payload: payload}) != nil {
				return
			}
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
		}
	})
	c.t.Cleanup(func() {
		close(stop)
		_ = c.pc.GracefulClose()
		running.Wait()
	})
}

// receive makes m-lines to receive on.
func (c *caller) receive() {
	c.t.Helper()
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// hears reads from the next tracks until both kinds have come, and returns them.
func (c *caller) hears() map[webrtc.RTPCodecType]*webrtc.TrackRemote {
	c.t.Helper()
	got := map[webrtc.RTPCodecType]*webrtc.TrackRemote{}
	for len(got) < 2 {
		select {
		case track := <-c.tracks:
			c.reads(track, 10)
			got[track.Kind()] = track
		case <-time.After(patience):
			c.t.Fatalf("only %d tracks have come", len(got))
		}
	}
	return got
}

func (c *caller) reads(track *webrtc.TrackRemote, count int) {
	c.t.Helper()
	for range count {
		_ = track.SetReadDeadline(time.Now().Add(patience))
		if _, _, err := track.ReadRTP(); err != nil {
			c.t.Fatalf("%s: %v", track.Kind(), err)
		}
	}
}

func TestAWHIPClientIsSeenAndHeard(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	bob := s.join("bob")
	obs := s.caller(token(t, "obs"))
	obs.send(webrtc.MimeTypeOpus)
	obs.send(webrtc.MimeTypeVP8)
	obs.call("/whip/lobby")
	for range 2 {
		track := await[client.TrackStarted](bob, nil).Track
		hear(t, track, 20)
		want := map[protocol.Kind]string{protocol.Audio: protocol.Microphone, protocol.Video: protocol.Camera}[track.Publication.Kind]
		if track.Participant.Identity != "obs" || track.Publication.Source != want {
			t.Errorf("bob receives %+v of %s", track.Publication, track.Participant.Identity)
		}
	}
	if len(obs.links) != 3 || !strings.HasPrefix(obs.links[0], "<stun:") || !strings.Contains(obs.links[1], `; rel="ice-server"; username="`) || !strings.HasSuffix(obs.links[1], `credential-type="password"`) {
		t.Errorf("ICE servers: %q", obs.links)
	}
	response, _ := obs.request(http.MethodOptions, "/whip/lobby", "", "")
	if links := response.Header.Values("Link"); len(links) != 3 {
		t.Errorf("ICE servers before the offer: %q", links)
	}
	if response, body := obs.request(http.MethodDelete, obs.location, "", ""); response.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %d %s", response.StatusCode, body)
	}
	if left := await[client.ParticipantLeft](bob, nil); left.Participant.Identity != "obs" || left.Reason != protocol.Left {
		t.Errorf("bob sees %s leave: %s", left.Participant.Identity, left.Reason)
	}
}

func TestAWHIPClientThatClosesItsConnectionHasLeft(t *testing.T) {
	s := newServer(t)
	bob := s.join("bob")
	obs := s.caller(token(t, "obs"))
	obs.send(webrtc.MimeTypeVP8)
	obs.call("/whip/lobby")
	hear(t, await[client.TrackStarted](bob, nil).Track, 5)
	if err := obs.pc.GracefulClose(); err != nil {
		t.Fatal(err)
	}
	if left := await[client.ParticipantLeft](bob, nil); left.Participant.Identity != "obs" || left.Reason != protocol.Left {
		t.Errorf("bob sees %s leave: %s", left.Participant.Identity, left.Reason)
	}
	if response, _ := obs.request(http.MethodDelete, obs.location, "", ""); response.StatusCode != http.StatusNotFound {
		t.Errorf("DELETE: %d", response.StatusCode)
	}
}

func TestAWHIPClientRestartsICE(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	bob := s.join("bob")
	obs := s.caller(token(t, "obs"))
	obs.send(webrtc.MimeTypeVP8)
	obs.call("/whip/lobby")
	track := await[client.TrackStarted](bob, nil).Track
	hear(t, track, 5)

	offer, err := obs.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := obs.pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	fresh, err := sdp.Read(offer.SDP)
	if err != nil {
		t.Fatal(err)
	}
	response, body := obs.request(http.MethodPatch, obs.location, "application/trickle-ice-sdpfrag",
		"a=ice-ufrag:"+fresh.Ufrag+"\r\na=ice-pwd:"+fresh.Pwd+"\r\n", "If-Match", "*")
	if response.StatusCode != http.StatusOK || response.Header.Get("ETag") == obs.etag {
		t.Fatalf("restart: %d %s %s", response.StatusCode, response.Header.Get("ETag"), body)
	}
	theirs, err := sdp.ReadFragment(body)
	if err != nil || len(theirs.Candidates) == 0 {
		t.Fatalf("%v of\n%s", err, body)
	}
	if err := obs.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp.Restarted(obs.answer, theirs)}); err != nil {
		t.Fatal(err)
	}
	for _, candidate := range theirs.Candidates {
		if err := obs.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: candidate.Candidate, SDPMid: &candidate.MID}); err != nil {
			t.Fatal(err)
		}
	}
	obs.awaitConnected()
	hear(t, track, 50) // more than the queue of what was sent before may hold
}

func TestAWHEPClientPlaysOneParticipant(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada, eve := s.join("ada"), s.join("eve")
	eve.speak(webrtc.MimeTypeVP8, protocol.Camera)
	ada.speak(webrtc.MimeTypeOpus, protocol.Microphone)
	camera := ada.speak(webrtc.MimeTypeVP8, protocol.Camera)
	tv := s.caller(token(t, "tv"))
	tv.receive()
	tv.call("/whep/lobby/ada")
	got := tv.hears()
	if everybody := ada.Participants(); len(everybody) != 2 {
		t.Errorf("ada sees %+v", everybody)
	}

	// The same slot shows what comes later, in the same stream.
	if err := camera.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ada.speak(webrtc.MimeTypeVP8, protocol.Screen)
	video := got[webrtc.RTPCodecTypeVideo]
	tv.reads(video, 50)
	select {
	case track := <-tv.tracks:
		t.Errorf("another %s track has come", track.Kind())
	default:
	}
	if response, body := tv.request(http.MethodDelete, tv.location, "", ""); response.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %d %s", response.StatusCode, body)
	}
}

func TestAWHEPClientPlaysAWHIPClient(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	obs := s.caller(token(t, "obs"))
	obs.send(webrtc.MimeTypeOpus)
	obs.send(webrtc.MimeTypeVP8)
	obs.call("/whip/lobby")
	tv := s.caller(token(t, "tv", func(x *auth.Token) { x.Grants.Publish = false }))
	tv.receive()
	tv.call("/whep/lobby/obs")
	tv.hears()
}

func TestWhoIsConnectedMayTakeItsTime(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *signaling.Config) { c.WHIP.ConnectTimeout = 2 * time.Second })
	bob := s.join("bob")
	obs := s.caller(token(t, "obs"))
	obs.send(webrtc.MimeTypeVP8)
	obs.call("/whip/lobby")
	track := await[client.TrackStarted](bob, nil).Track
	hear(t, track, 150) // three seconds
}
