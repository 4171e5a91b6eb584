package load_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/sfu"
	"github.com/turnout-rtc/turnout/signaling"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/client/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret of at least thirty-two bytes"

// server is a real control plane over a real media plane, on loopback.
func server(t *testing.T) (url string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	media, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0"}, log)
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := signaling.New(signaling.Config{Keys: map[string]string{"key": secret}, EmptyTimeout: 100 * time.Millisecond, Grace: 200 * time.Millisecond}, signaling.Planes{Media: media}, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	rooms.Register(mux)
	h := httptest.NewServer(mux)
	t.Cleanup(func() {
		rooms.Close()
		h.Close()
		if err := media.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.URL
}

func mint(_ context.Context, room, identity string) (string, error) {
	return auth.Mint("key", secret, auth.Token{Identity: identity, Room: room, Grants: auth.DefaultGrants(), Expires: time.Now().Add(time.Hour)})
}

// plan is a small load.
func plan(url string) load.Plan {
	return load.Plan{
		Server: url, Rooms: 2, Publishers: 1, Subscribers: 2, Audio: true, Video: true, Bitrate: 200_000, FrameRate: 20, KeyEvery: time.Second,
		Messages: 20, MessageBytes: 100, Joins: 50, Duration: time.Second, Timeout: 20 * time.Second,
	}
}

func TestEverybodyJoinsAndGetsAll(t *testing.T) {
	p := plan(server(t))
	r, err := load.Run(t.Context(), p, mint, func(load.Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Participants != 6 || r.Joined != 6 || r.Failed+r.Lost != 0 || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
	if r.Join.Count != 6 || r.FirstPacket.Count != 4 || r.Packets == 0 || r.Media.Count == 0 || r.Media.P50 <= 0 || r.Missing > r.Packets/20 {
		t.Errorf("media: %+v", r)
	}
	if r.Sent == 0 || r.Expected != 2*r.Sent || r.Delivered != r.Expected || r.Message.Count != r.Delivered {
		t.Errorf("messages: %+v", r)
	}
	var out bytes.Buffer
	if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "6 of 6 joined") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestSimulcastArrives(t *testing.T) {
	p := plan(server(t))
	p.Rooms, p.Subscribers, p.Audio, p.Simulcast, p.Messages = 1, 1, false, true, 0
	r, err := load.Run(t.Context(), p, mint, func(load.Progress) {})
	if err != nil || r.Failed != 0 || r.Packets == 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestWhoCannotJoinIsCounted(t *testing.T) {
	p := plan(server(t))
	p.Duration = 100 * time.Millisecond
	bad := func(ctx context.Context, room, identity string) (string, error) {
		if strings.HasSuffix(identity, "-1-2") {
			return "not a token", nil
		}
		return mint(ctx, room, identity)
	}
	r, err := load.Run(t.Context(), p, bad, func(load.Progress) {})
	if err != nil || r.Joined != 5 || r.Failed != 1 || r.Errors["join: auth.invalid"] != 1 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestWithoutTokensThereIsNoLoad(t *testing.T) {
	sorry := errors.New("sorry")
	_, err := load.Run(t.Context(), plan("http://127.0.0.1:1"), func(context.Context, string, string) (string, error) { return "", sorry }, func(load.Progress) {})
	if !errors.Is(err, sorry) {
		t.Errorf("%v", err)
	}
}

func TestItEndsWhenItIsToldTo(t *testing.T) {
	p := plan(server(t))
	p.Duration = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	r, err := load.Run(ctx, p, mint, func(now load.Progress) {
		if now.Phase == "measuring" {
			cancel()
		}
	})
	if err != nil || r.Joined != 6 || r.Packets == 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestBadPlansSayWhatToDo(t *testing.T) {
	for want, change := range map[string]func(*load.Plan){
		"--url":            func(p *load.Plan) { p.Server = "" },
		"--rooms":          func(p *load.Plan) { p.Rooms = 0 },
		"--publishers":     func(p *load.Plan) { p.Publishers, p.Subscribers = 0, 0 },
		"10000":            func(p *load.Plan) { p.Subscribers = 9999 },
		"duration":         func(p *load.Plan) { p.Duration = 0 },
		"joins a second":   func(p *load.Plan) { p.Joins = 0 },
		"frames a second":  func(p *load.Plan) { p.FrameRate = 500 },
		"bits a second":    func(p *load.Plan) { p.Bitrate = 1 },
		"simulcast":        func(p *load.Plan) { p.Video, p.Simulcast = false, true },
		"messages of 1 by": func(p *load.Plan) { p.MessageBytes = 1 },
		"messages a sec":   func(p *load.Plan) { p.Messages = -1 },
	} {
		p := plan("http://127.0.0.1:1")
		change(&p)
		if _, err := load.Run(t.Context(), p, mint, func(load.Progress) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
