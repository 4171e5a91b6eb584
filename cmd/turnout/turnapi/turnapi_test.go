package turnapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	turnSecret = "north"
	tokenKey   = "0123456789abcdef0123456789abcdef"
	operator   = "operator-operator-operator-operator"
)

type rig struct {
	t    *testing.T
	turn *turn.Server
	mux  *http.ServeMux
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	s, err := turn.New(turn.Config{
		Enabled: true, UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Secret: turnSecret, Relay: turn.Relay{Allow: []string{"127.0.0.0/8"}},
	}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	keys, err := auth.NewKeys(map[string]string{"key": tokenKey})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Tokens: keys, Operator: operator, Rate: 1000}
	for _, f := range change {
		f(&cfg)
	}
	r := &rig{t: t, turn: s, mux: http.NewServeMux()}
	New(s, cfg).Register(r.mux)
	return r
}

// ask sends a request with a bearer and decodes the answer.
func (r *rig) ask(method, path, bearer string, into any, header ...string) *http.Response {
	r.t.Helper()
	req := httptest.NewRequest(method, path, nil)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	r.mux.ServeHTTP(rec, req)
	if into != nil {
		if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
			r.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
	}
	return rec.Result()
}

func token(t *testing.T, ttl time.Duration) string {
	t.Helper()
	signed, err := auth.Mint("key", tokenKey, auth.Token{Room: "a/b", Identity: "ada", Grants: auth.DefaultGrants(), Expires: time.Now().Add(ttl)})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestCredentialsAreThoseOfCoturn computes the password as coturn's use-auth-secret does.
func TestCredentialsAreThoseOfCoturn(t *testing.T) {
	r := newRig(t)
	for bearer, user := range map[string]string{token(t, time.Minute): "ada@a%2Fb", operator: "bob"} {
		var c Credentials
		res := r.ask("GET", "/v1/turn/credentials?service=turn&username=bob", bearer, &c)
		if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %v", res.Status, res.Header)
		}
		stamp, name, _ := strings.Cut(c.Username, ":")
		expires, err := strconv.ParseInt(stamp, 10, 64)
		if left := time.Until(time.Unix(expires, 0)); err != nil || name != user || left < 59*time.Minute || left > time.Hour {
			t.Errorf("user name %q, %v", c.Username, err)
		}
		if c.TTL < 59*60 || c.TTL > 3600 {
			t.Errorf("ttl %d", c.TTL)
		}
		mac := hmac.New(sha1.New, []byte(turnSecret))
		mac.Write([]byte(c.Username))
		if want := base64.StdEncoding.EncodeToString(mac.Sum(nil)); c.Password != want {
			t.Errorf("password %q, want %q", c.Password, want)
		}
		if len(c.URIs) == 0 || slices.ContainsFunc(c.URIs, func(u string) bool { return !strings.HasPrefix(u, "turn:127.0.0.1:") }) {
			t.Errorf("uris %v", c.URIs)
		}
		last := c.ICEServers[len(c.ICEServers)-1]
		if last.Username != c.Username || last.Credential != c.Password || !slices.Equal(last.URLs, c.URIs) {
			t.Errorf("iceServers %+v", c.ICEServers)
		}
	}
}

func TestWhoMayNotAskIsToldWhy(t *testing.T) {
	r := newRig(t)
	noOperator := newRig(t, func(c *Config) { c.Operator = "" })
	for name, c := range map[string]struct {
		rig          *rig
		method, path string
		bearer       string
		status       int
		code         protocol.Code
	}{
		"no token":                       {r, "GET", "/v1/turn/credentials", "", 401, protocol.AuthMissing},
		"garbage":                        {r, "GET", "/v1/turn/credentials", "garbage", 401, protocol.AuthInvalid},
		"an old token":                   {r, "GET", "/v1/turn/credentials", token(t, -time.Hour), 401, protocol.AuthExpired},
		"the operator for nobody":        {r, "GET", "/v1/turn/credentials", operator, 400, protocol.Malformed},
		"the operator for a long name":   {r, "GET", "/v1/turn/credentials?username=" + strings.Repeat("x", 129), operator, 400, protocol.Malformed},
		"the list without a key":         {r, "GET", "/v1/turn/allocations", "", 401, protocol.AuthMissing},
		"the list with a wrong key":      {r, "GET", "/v1/turn/allocations", operator + "x", 401, protocol.AuthInvalid},
		"the list with a token":          {r, "GET", "/v1/turn/allocations", token(t, time.Minute), 403, protocol.AuthForbidden},
		"an end with a token":            {r, "DELETE", "/v1/turn/allocations/bob", token(t, time.Minute), 403, protocol.AuthForbidden},
		"no operator, no key":            {noOperator, "GET", "/v1/turn/allocations", "", 401, protocol.AuthMissing},
		"no operator, the key of others": {noOperator, "GET", "/v1/turn/allocations", operator, 401, protocol.AuthInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			var fault protocol.Error
			res := c.rig.ask(c.method, c.path, c.bearer, &fault)
			if res.StatusCode != c.status || fault.Code != c.code || fault.Message == "" || fault.Hint == "" {
				t.Errorf("%s %+v", res.Status, fault)
			}
			if (c.status == 401) != (res.Header.Get("WWW-Authenticate") == "Bearer") {
				t.Error("WWW-Authenticate is for 401")
			}
		})
	}
}

func TestTooManyRequestsOfOneAddressAreRefusedButNotTheOperators(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Rate = 5 })
	refused := 0
	for range 100 {
		var fault protocol.Error
		if res := r.ask("GET", "/v1/turn/credentials", "guess", &fault); res.StatusCode == http.StatusTooManyRequests {
			refused++
			if fault.Code != protocol.RateLimited || !fault.Retryable || res.Header.Get("Retry-After") == "" {
				t.Errorf("%+v", fault)
			}
		}
	}
	if refused < 80 {
		t.Errorf("%d of 100 refused", refused)
	}
	if res := r.ask("GET", "/v1/turn/allocations", operator, nil); res.StatusCode != http.StatusOK {
		t.Errorf("the operator: %s", res.Status)
	}
}

func TestPagesOfListedOriginsMayAsk(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Origins = []string{"https://friend.example"} })
	for origin, want := range map[string]string{"https://friend.example": "https://friend.example", "https://evil.example": "", "": ""} {
		for _, method := range []string{"GET", "OPTIONS"} {
			res := r.ask(method, "/v1/turn/credentials", token(t, time.Minute), nil, "Origin", origin)
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != want || res.Header.Get("Vary") != "Origin" {
				t.Errorf("%s from %q: allowed %q", method, origin, got)
			}
		}
	}
}

// TestTheOperatorSeesAllocationsAndEndsThem allocates with Debian's coturn client.
func TestTheOperatorSeesAllocationsAndEndsThem(t *testing.T) {
	tool, err := exec.LookPath("turnutils_uclient")
	if err != nil {
		t.Skip("turnutils_uclient is not installed: apt-get install coturn")
	}
	r := newRig(t)
	var c Credentials
	r.ask("GET", "/v1/turn/credentials?username=ada%2F1", operator, &c)
	host, port, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(c.URIs[0], "turn:"), "?transport=udp"), ":")
	client := exec.CommandContext(t.Context(), tool, "-y", "-c", "-n", "100000", "-u", c.Username, "-w", c.Password, "-p", port, host)
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = client.Process.Kill()
		_ = client.Wait()
	}()
	var list Allocations
	for deadline := time.Now().Add(10 * time.Second); len(list.Allocations) < 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // polling another process
		r.ask("GET", "/v1/turn/allocations", operator, &list)
	}
	if len(list.Allocations) < 2 {
		t.Fatal("no allocations")
	}
	for _, a := range list.Allocations {
		if a.User != "ada/1" || !strings.HasPrefix(a.Client, "127.0.0.1:") || !strings.HasPrefix(a.Relayed, "127.0.0.1:") || a.Transport != "udp" || time.Since(a.Created) > time.Minute {
			t.Errorf("%+v", a)
		}
	}
	var ended Ended
	if r.ask("DELETE", "/v1/turn/allocations/"+url.PathEscape("ada/1"), operator, &ended); ended.Ended < 2 {
		t.Errorf("ended %d", ended.Ended)
	}
	for deadline := time.Now().Add(10 * time.Second); len(list.Allocations) > 0 && time.Now().Before(deadline); {
		r.ask("GET", "/v1/turn/allocations", operator, &list)
	}
	if len(list.Allocations) > 0 {
		t.Errorf("still there: %+v", list)
	}
	if r.ask("DELETE", "/v1/turn/allocations/nobody", operator, &ended); ended.Ended != 0 {
		t.Errorf("ended %d of nobody's", ended.Ended)
	}
}
