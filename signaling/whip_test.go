package signaling_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// section is an m-line of an offer to be written.
type section struct{ kind, direction string }

// httpOffer writes an offer as programs make it.
func httpOffer(sections ...section) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE")
	for i := range sections {
		fmt.Fprintf(&b, " %d", i)
	}
	b.WriteString("\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n")
	b.WriteString("a=fingerprint:sha-256 " + strings.Repeat("AA:", 31) + "AA\r\n")
	for i, s := range sections {
		codec := "111\r\na=rtpmap:111 opus/48000/2"
		if s.kind == "video" {
			codec = "96\r\na=rtpmap:96 VP8/90000"
		}
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF %s\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:%d\r\na=%s\r\n", s.kind, codec, i, s.direction)
	}
	return b.String()
}

func sends() string    { return httpOffer(section{"audio", "sendonly"}, section{"video", "sendonly"}) }
func receives() string { return httpOffer(section{"audio", "recvonly"}, section{"video", "sendrecv"}) }

// asking is an HTTP request to be sent.
type asking struct {
	method, path, token, body string
	header                    map[string]string
}

// answer of a request, with the body read.
type answer struct {
	*http.Response
	text string
}

func (h *house) do(a asking) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), a.method, h.http.URL+a.path, strings.NewReader(a.body))
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Content-Type", map[string]string{http.MethodPost: "application/sdp", http.MethodPatch: "application/trickle-ice-sdpfrag"}[a.method])
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for k, v := range a.header {
		r.Header.Set(k, v)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections() // nothing of a test outlives it
	return answer{Response: response, text: string(b)}
}

// post makes a session and returns its answer.
func (h *house) post(path, signed, offer string) answer {
	h.t.Helper()
	a := h.do(asking{method: http.MethodPost, path: path, token: signed, body: offer})
	if a.StatusCode != http.StatusCreated {
		h.t.Fatalf("%s: %d %s", path, a.StatusCode, a.text)
	}
	return a
}

func (a answer) want(t *testing.T, name string, status int, code protocol.Code) {
	t.Helper()
	var fault protocol.Error
	if err := json.Unmarshal([]byte(a.text), &fault); err != nil {
		t.Errorf("%s: %d %q: %v", name, a.StatusCode, a.text, err)
		return
	}
	if a.StatusCode != status || fault.Code != code || fault.Message == "" || fault.Hint == "" {
		t.Errorf("%s: %d %s, not %d %s", name, a.StatusCode, a.text, status, code)
	}
	if a.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s: a page cannot read the error", name)
	}
	if again := status == 409 || status == 429 || status == 503; again != (a.Header.Get("Retry-After") != "") || again != fault.Retryable {
		t.Errorf("%s: retryable %v, Retry-After %q", name, fault.Retryable, a.Header.Get("Retry-After"))
	}
}

func TestWHIPPublishesAsAParticipant(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	bob.publish()
	a := h.post("/whip/room", token(t, "obs"), sends())
	if a.Header.Get("Content-Type") != "application/sdp" || !strings.Contains(a.text, "a=recvonly") || strings.Contains(a.text, "a=sendrecv") {
		t.Errorf("%v\n%s", a.Header, a.text)
	}
	location := a.Header.Get("Location")
	if !strings.HasPrefix(location, "/whip/room/") || len(location) < len("/whip/room/")+26 {
		t.Errorf("Location %q", location)
	}
	if a.Header.Get("ETag") == "" || a.Header.Get("Accept-Patch") != "application/trickle-ice-sdpfrag" {
		t.Errorf("%v", a.Header)
	}
	joined, _ := await[protocol.ParticipantJoined](bob)
	if joined.Participant.Identity != "obs" || joined.Participant.Name != "OBS" {
		t.Errorf("bob was told %+v", joined)
	}
	sources := map[string]protocol.Kind{}
	var ids []string
	for range 2 {
		p, _ := await[protocol.Published](bob)
		sources[p.Publication.Source] = p.Publication.Kind
		ids = append(ids, p.Publication.ID)
	}
	if sources["camera"] != protocol.Video || sources["microphone"] != protocol.Audio {
		t.Errorf("published %v", sources)
	}
	if ids[0] > ids[1] {
		ids[0], ids[1] = ids[1], ids[0]
	}
	bob.showing(ids...)
	if s := h.server.Stats(); s.WHIP.Publishing != 1 || s.WHIP.Playing != 0 || s.Participants != 2 {
		t.Errorf("%+v", s)
	}

	if d := h.do(asking{method: http.MethodDelete, path: location}); d.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %d %s", d.StatusCode, d.text)
	}
	if left, _ := await[protocol.ParticipantLeft](bob); left.Identity != "obs" || left.Reason != protocol.Left {
		t.Errorf("bob was told %+v", left)
	}
	h.do(asking{method: http.MethodDelete, path: location}).want(t, "a second DELETE", 404, protocol.SessionGone)
	if s := h.server.Stats(); s.WHIP.Publishing != 0 || s.Participants != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWHIPPublishesTheScreenWhenToldSo(t *testing.T) {
	h := open(t)
	bob := h.join(token(t, "bob"))
	h.post("/whip/room?source=screen", token(t, "obs"), sends())
	for range 2 {
		if p, _ := await[protocol.Published](bob); p.Publication.Source != "screen" && p.Publication.Source != "screenAudio" {
			t.Errorf("published %+v", p.Publication)
		}
	}
}

func TestWHEPFollowsOneParticipant(t *testing.T) {
	h := open(t)
	ada := h.join(token(t, "ada"))
	h.do(asking{method: http.MethodPost, path: "/whep/elsewhere/ada", token: token(t, "tv", func(x *auth.Token) { x.Room = "elsewhere" }), body: receives()}).
		want(t, "no such room", 409, protocol.ParticipantNotFound)
	if rooms := h.server.Stats().Rooms; rooms != 1 {
		t.Errorf("asking has made a room: %d", rooms)
	}
	h.do(asking{method: http.MethodPost, path: "/whep/room/nobody", token: token(t, "tv"), body: receives()}).
		want(t, "nobody there", 409, protocol.ParticipantNotFound)
	a := h.post("/whep/room/ada", token(t, "tv"), receives())
	if strings.Count(a.text, "a=sendonly") != 2 || !strings.HasPrefix(a.Header.Get("Location"), "/whep/room/ada/") {
		t.Errorf("%v\n%s", a.Header, a.text)
	}
	if s := h.server.Stats(); s.WHIP.Playing != 1 || s.Participants != 2 {
		t.Errorf("%+v", s)
	}
	eve := h.join(token(t, "eve")) // whom ada would be told of after the player, if she were told of that
	if joined, _ := await[protocol.ParticipantJoined](ada); joined.Participant.Identity != "eve" {
		t.Errorf("ada was told of %s", joined.Participant.Identity)
	}
	if len(eve.self.Participants) != 1 {
		t.Errorf("eve sees %+v", eve.self.Participants)
	}
	if d := h.do(asking{method: http.MethodDelete, path: a.Header.Get("Location")}); d.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %d %s", d.StatusCode, d.text)
	}
}

func TestWHIPRefusesWithAReason(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.WHIP.BodyBytes = 4096; c.WHIP.Rate = 1000 })
	h.join(token(t, "ada"))
	good := token(t, "obs")
	change := func(f func(*auth.Token)) string { return token(t, "obs", f) }
	replaced := func(from, to string) string { return strings.ReplaceAll(sends(), from, to) }
	for name, c := range map[string]struct {
		asking
		status int
		code   protocol.Code
	}{
		"no token":            {asking{path: "/whip/room"}, 401, protocol.AuthMissing},
		"bad token":           {asking{path: "/whip/room", token: "x"}, 401, protocol.AuthInvalid},
		"basic auth":          {asking{path: "/whip/room", header: map[string]string{"Authorization": "Basic " + good}}, 401, protocol.AuthMissing},
		"old token":           {asking{path: "/whip/room", token: change(func(x *auth.Token) { x.Expires = time.Now().Add(-time.Hour) })}, 401, protocol.AuthExpired},
		"another room":        {asking{path: "/whip/elsewhere", token: good}, 403, protocol.AuthForbidden},
		"may not publish":     {asking{path: "/whip/room", token: change(func(x *auth.Token) { x.Grants.Publish = false })}, 403, protocol.AuthForbidden},
		"hidden":              {asking{path: "/whip/room", token: change(func(x *auth.Token) { x.Grants.Hidden = true })}, 403, protocol.AuthForbidden},
		"only a microphone":   {asking{path: "/whip/room", token: change(func(x *auth.Token) { x.Grants.Sources = []string{"microphone"} })}, 403, protocol.AuthForbidden},
		"may not watch":       {asking{path: "/whep/room/ada", token: change(func(x *auth.Token) { x.Grants.Subscribe = false })}, 403, protocol.AuthForbidden},
		"json":                {asking{path: "/whip/room", token: good, header: map[string]string{"Content-Type": "application/json"}}, 415, protocol.Unsupported},
		"no type":             {asking{path: "/whip/room", token: good, header: map[string]string{"Content-Type": ""}}, 415, protocol.Unsupported},
		"too large":           {asking{path: "/whip/room", token: good, body: sends() + strings.Repeat("a=x\r\n", 1000)}, 413, protocol.MediaLimit},
		"a strange source":    {asking{path: "/whip/room?source=window", token: good}, 400, protocol.Malformed},
		"nothing":             {asking{path: "/whip/room", token: good, body: " "}, 400, protocol.MediaBadOffer},
		"garbage":             {asking{path: "/whip/room", token: good, body: `{"sdp":"v=0"}`}, 400, protocol.MediaBadOffer},
		"no m-line":           {asking{path: "/whip/room", token: good, body: httpOffer()}, 400, protocol.MediaBadOffer},
		"no ufrag":            {asking{path: "/whip/room", token: good, body: replaced("a=ice-ufrag:", "a=x:")}, 400, protocol.MediaBadOffer},
		"no fingerprint":      {asking{path: "/whip/room", token: good, body: replaced("a=fingerprint:", "a=x:")}, 400, protocol.MediaBadOffer},
		"one mid for two":     {asking{path: "/whip/room", token: good, body: replaced("a=mid:1", "a=mid:0")}, 400, protocol.MediaBadOffer},
		"no DTLS role":        {asking{path: "/whip/room", token: good, body: replaced("actpass", "holdconn")}, 406, protocol.MediaBadOffer},
		"nothing to publish":  {asking{path: "/whip/room", token: good, body: httpOffer(section{"audio", "recvonly"}, section{"video", "inactive"})}, 422, protocol.MediaBadOffer},
		"nothing to play":     {asking{path: "/whep/room/ada", token: good}, 422, protocol.MediaBadOffer},
		"two videos":          {asking{path: "/whip/room", token: good, body: httpOffer(section{"video", "sendonly"}, section{"video", "sendonly"})}, 406, protocol.MediaBadOffer},
		"two videos to watch": {asking{path: "/whep/room/ada", token: good, body: httpOffer(section{"video", "recvonly"}, section{"video", "recvonly"})}, 406, protocol.MediaBadOffer},
		"no codec of ours":    {asking{path: "/whip/room", token: good, body: replaced("VP8", "H261")}, 406, protocol.MediaBadOffer},
		"no codec to watch":   {asking{path: "/whep/room/ada", token: good, body: strings.ReplaceAll(receives(), "VP8", "H261")}, 406, protocol.MediaBadOffer},
		"not bundled":         {asking{path: "/whip/room", token: good, body: replaced("a=group:BUNDLE", "a=x")}, 406, protocol.MediaBadOffer},
		"PUT":                 {asking{method: http.MethodPut, path: "/whip/room", token: good}, 405, protocol.Unsupported},
		"DELETE":              {asking{method: http.MethodDelete, path: "/whip/room", token: good}, 405, protocol.Unsupported},
		"no such session":     {asking{method: http.MethodPatch, path: "/whip/room/none"}, 404, protocol.SessionGone},
		"no such player":      {asking{method: http.MethodDelete, path: "/whep/room/ada/none"}, 404, protocol.SessionGone},
	} {
		if c.method == "" {
			c.method = http.MethodPost
		}
		if c.body == "" {
			c.body = sends()
		}
		h.do(c.asking).want(t, name, c.status, c.code)
	}
	eventually(t, "everybody but ada has left", func() bool { return h.server.Stats().Participants == 1 })
	s := h.server.Stats().WHIP
	if s.Publishing != 0 || s.Playing != 0 || s.Refused["media.badOffer"] < 10 || s.Refused["auth.missing"] != 2 {
		t.Errorf("%+v", s)
	}
}

func TestAWHIPSessionIsPatchedUnderItsETag(t *testing.T) {
	h := open(t)
	a := h.post("/whip/room", token(t, "obs"), sends())
	at, tag := a.Header.Get("Location"), a.Header.Get("ETag")
	candidates := "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n" +
		"a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=candidate:nonsense\r\na=end-of-candidates\r\n"
	fresh := "a=ice-ufrag:EFGH\r\na=ice-pwd:ABCDEFGHIJKLMNOPQRSTUVWX\r\n"
	patch := func(tag, body string) answer {
		header := map[string]string{}
		if tag != "" {
			header["If-Match"] = tag
		}
		return h.do(asking{method: http.MethodPatch, path: at, body: body, header: header})
	}
	for name, tag := range map[string]string{"the tag": tag, "any": "*", "one of two": `"x", ` + tag} {
		if p := patch(tag, candidates); p.StatusCode != http.StatusNoContent || p.Header.Get("ETag") != "" || p.text != "" {
			t.Errorf("candidates with %s: %d %s", name, p.StatusCode, p.text)
		}
	}
	patch("", candidates).want(t, "no If-Match", 428, protocol.Malformed)
	patch(`"x"`, candidates).want(t, "another tag", 412, protocol.Malformed)
	patch("W/"+tag, candidates).want(t, "a weak tag", 412, protocol.Malformed)
	patch("*", "hello").want(t, "garbage", 400, protocol.MediaBadOffer)
	patch("*", "a=ice-ufrag:EFGH\r\n").want(t, "half the credentials", 400, protocol.MediaBadOffer)
	patch("*", "a=ice-ufrag:EF\r\na=ice-pwd:short\r\n").want(t, "short credentials", 400, protocol.MediaBadOffer)
	patch("*", strings.Repeat("a=candidate:1\r\n", 100)).want(t, "100 candidates", 400, protocol.MediaBadOffer)
	h.do(asking{method: http.MethodPatch, path: at, header: map[string]string{"If-Match": "*", "Content-Type": "application/sdp"}}).want(t, "another type", 415, protocol.Unsupported)
	h.do(asking{method: http.MethodPost, path: at}).want(t, "POST", 405, protocol.Unsupported)

	p := patch("*", fresh)
	next := p.Header.Get("ETag")
	if p.StatusCode != http.StatusOK || next == "" || next == tag || p.Header.Get("Content-Type") != "application/trickle-ice-sdpfrag" {
		t.Fatalf("restart: %d %v %s", p.StatusCode, p.Header, p.text)
	}
	for _, line := range []string{"a=ice-lite\r\n", "a=ice-ufrag:", "a=ice-pwd:", "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:", "a=end-of-candidates\r\n"} {
		if !strings.Contains(p.text, line) {
			t.Errorf("restart: no %q in\n%s", line, p.text)
		}
	}
	if ufrag := lineOf(a.text, "a=ice-ufrag:"); ufrag == "" || strings.Contains(p.text, ufrag) {
		t.Errorf("the server's credentials are still %q", ufrag)
	}
	patch(tag, candidates).want(t, "the old tag", 412, protocol.Malformed)
	if p := patch(next, fresh); p.StatusCode != http.StatusNoContent {
		t.Errorf("the credentials of now: %d %s", p.StatusCode, p.text)
	}
	if d := h.do(asking{method: http.MethodDelete, path: at, header: map[string]string{"If-Match": `"x"`}}); d.StatusCode != http.StatusOK {
		t.Errorf("DELETE heeds a tag: %d", d.StatusCode)
	}
}

func lineOf(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(strings.TrimPrefix(line, prefix))
		}
	}
	return ""
}

func TestPagesOfAllOriginsMayUseWHIP(t *testing.T) {
	h := open(t)
	location := h.post("/whip/room", token(t, "obs"), sends()).Header.Get("Location")
	for path, method := range map[string]string{"/whip/room": "POST", "/whep/room/obs": "POST", location: "PATCH", "/whep/room/obs/unknown": "DELETE"} {
		a := h.do(asking{method: http.MethodOptions, path: path, header: map[string]string{"Origin": "https://example.com", "Access-Control-Request-Method": method}})
		allowed := a.Header.Get("Access-Control-Allow-Methods")
		if a.StatusCode != http.StatusOK || !strings.Contains(allowed, method) || a.Header.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "Authorization") || !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "Location") {
			t.Errorf("%s: %d %v", path, a.StatusCode, a.Header)
		}
		if get := h.do(asking{method: http.MethodGet, path: path}); get.StatusCode != http.StatusNoContent && get.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, get.StatusCode)
		}
	}
	if a := h.do(asking{method: http.MethodOptions, path: "/whip/room"}); a.Header.Get("Accept-Post") != "application/sdp" {
		t.Errorf("%v", a.Header)
	}
	h.do(asking{method: http.MethodOptions, path: "/whip/room", token: "x"}).want(t, "OPTIONS with a bad token", 401, protocol.AuthInvalid)
}

func TestARoomIsNamedAsInTheToken(t *testing.T) {
	h := open(t)
	name := "a room/with ?%"
	signed := token(t, "obs", func(x *auth.Token) { x.Room = name })
	a := h.post("/whip/"+url.PathEscape(name), signed, sends())
	if d := h.do(asking{method: http.MethodDelete, path: a.Header.Get("Location")}); d.StatusCode != http.StatusOK {
		t.Errorf("%s: %d", a.Header.Get("Location"), d.StatusCode)
	}
}

func TestASecondPOSTOfAnIdentityFollowsThePolicy(t *testing.T) {
	h := open(t)
	first := h.post("/whip/room", token(t, "obs"), sends()).Header.Get("Location")
	h.post("/whip/room", token(t, "obs"), sends())
	h.do(asking{method: http.MethodDelete, path: first}).want(t, "replaced", 404, protocol.SessionGone)
	if n := h.server.Stats().Participants; n != 1 {
		t.Errorf("%d participants", n)
	}
	strict := open(t, func(c *signaling.Config) { c.Duplicate = "reject" })
	strict.post("/whip/room", token(t, "obs"), sends())
	strict.do(asking{method: http.MethodPost, path: "/whip/room", token: token(t, "obs"), body: sends()}).want(t, "rejected", 409, protocol.IdentityTaken)
}

func TestAWHIPSessionEndsWithItsParticipant(t *testing.T) {
	h := open(t)
	boss := h.join(token(t, "boss", admin))
	for _, end := range []protocol.ClientMessage{protocol.Kick{Identity: "obs"}, protocol.EndRoom{}} {
		location := h.post("/whip/room", token(t, "obs"), sends()).Header.Get("Location")
		boss.ask(end)
		eventually(t, "it ends", func() bool { return h.server.Stats().WHIP.Publishing == 0 })
		h.do(asking{method: http.MethodPatch, path: location}).want(t, fmt.Sprintf("%T", end), 404, protocol.SessionGone)
	}
}

func TestWhoNeverConnectsLeaves(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.WHIP.ConnectTimeout = 50 * time.Millisecond })
	bob := h.join(token(t, "bob"))
	h.post("/whip/room", token(t, "obs"), sends())
	if left, _ := await[protocol.ParticipantLeft](bob); left.Identity != "obs" || left.Reason != protocol.ConnectionLost {
		t.Errorf("bob was told %+v", left)
	}
	eventually(t, "the session is over", func() bool { return h.server.Stats().WHIP.Publishing == 0 })
}

func TestWHIPHasLimits(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.WHIP.MaxSessions = 1 })
	h.post("/whip/room", token(t, "obs"), sends())
	h.do(asking{method: http.MethodPost, path: "/whip/room", token: token(t, "cam"), body: sends()}).want(t, "a second session", 503, protocol.ServerFull)

	small := open(t, func(c *signaling.Config) { c.MaxParticipants = 1 })
	small.join(token(t, "ada"))
	small.do(asking{method: http.MethodPost, path: "/whip/room", token: token(t, "obs"), body: sends()}).want(t, "a full room", 503, protocol.RoomFull)

	slow := open(t, func(c *signaling.Config) { c.WHIP.Rate = 1 })
	for range 2 {
		slow.do(asking{method: http.MethodPost, path: "/whip/room"})
	}
	slow.do(asking{method: http.MethodPost, path: "/whip/room"}).want(t, "a third request", 429, protocol.RateLimited)
	if n := slow.server.Stats().WHIP.Refused["rate.limited"]; n != 1 {
		t.Errorf("%d counted", n)
	}
}

func TestADrainingServerTakesNoWHIP(t *testing.T) {
	h := open(t)
	location := h.post("/whip/room", token(t, "obs"), sends()).Header.Get("Location")
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		h.server.Drain(ctx)
	}()
	eventually(t, "it drains", h.server.Draining)
	h.do(asking{method: http.MethodPost, path: "/whip/room", token: token(t, "cam"), body: sends()}).want(t, "draining", 503, protocol.ServerDraining)
	if d := h.do(asking{method: http.MethodDelete, path: location}); d.StatusCode != http.StatusOK {
		t.Errorf("DELETE: %d", d.StatusCode)
	}
	<-drained // the last one has left
	cancel()
}

// TestWHIPSessionsComeAndGoAtOnce has many clients do everything at the same time, with identities that they share. Every
// answer is one that the page lists, and nothing is left behind.
func TestWHIPSessionsComeAndGoAtOnce(t *testing.T) {
	h := open(t, func(c *signaling.Config) { c.WHIP.Rate = 100_000; c.WHIP.MaxSessions = 5 })
	boss := h.join(token(t, "boss", admin))
	tokens := []string{token(t, "a"), token(t, "b"), token(t, "c"), token(t, "d")}
	var clients sync.WaitGroup
	for seed := range uint64(6) {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(seed, 2))
			at, tag := "", "*"
			for n := range 60 {
				var a answer
				switch do := r.IntN(10); {
				case at == "" || do == 0:
					path, body := "/whip/room", sends()
					if r.IntN(3) == 0 {
						path, body = "/whep/room/a", receives()
					}
					a = h.do(asking{method: http.MethodPost, path: path, token: tokens[r.IntN(len(tokens))], body: body})
					if a.StatusCode == http.StatusCreated {
						at, tag = a.Header.Get("Location"), a.Header.Get("ETag")
					}
				case do < 4:
					fresh := fmt.Sprintf("a=ice-ufrag:u%d%03d\r\na=ice-pwd:ABCDEFGHIJKLMNOPQRSTUVWX\r\n", seed, n)
					a = h.do(asking{method: http.MethodPatch, path: at, body: fresh, header: map[string]string{"If-Match": "*"}})
					if a.StatusCode == http.StatusOK {
						tag = a.Header.Get("ETag")
					}
				case do < 6:
					a = h.do(asking{method: http.MethodPatch, path: at, body: "a=candidate:1\r\n", header: map[string]string{"If-Match": tag}})
				default:
					a = h.do(asking{method: http.MethodDelete, path: at})
					at = ""
				}
				if !slices.Contains([]int{200, 201, 204, 404, 409, 412, 503}, a.StatusCode) {
					t.Errorf("%d %s", a.StatusCode, a.text)
				}
			}
			if at != "" {
				h.do(asking{method: http.MethodDelete, path: at})
			}
		})
	}
	kicking := make(chan struct{})
	go func() {
		defer close(kicking)
		for i := range 20 {
			boss.ask(protocol.Kick{Identity: string("abcd"[i%4])})
			_, _ = await[protocol.ServerMessage](boss)
		}
	}()
	clients.Wait()
	<-kicking
	for _, identity := range []string{"a", "b", "c", "d"} { // whose DELETE was another's session's
		boss.ask(protocol.Kick{Identity: identity})
	}
	eventually(t, "all have left", func() bool {
		s := h.server.Stats()
		return s.WHIP.Publishing == 0 && s.WHIP.Playing == 0 && s.Participants == 1 && s.Sessions == 1
	})
}
