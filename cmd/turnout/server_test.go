package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// running is a server in a process of its own.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string // without a slash at its end
	data string
	log  *safeBuffer
	out  string // what it printed until it was ready
}

// safeBuffer is a bytes.Buffer for a process and a test at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // Guarded by mu.
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// startDev runs turnout dev on free ports until the test ends.
func startDev(t *testing.T, flags ...string) *running {
	t.Helper()
	r := &running{t: t, data: filepath.Join(t.TempDir(), "data"), log: &safeBuffer{}}
	r.cmd = command(t, nil, append(append(anyPorts(), "--data", r.data), flags...)...)
	r.cmd.Stderr = r.log
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		r.out += lines.Text() + "\n"
		if room := regexp.MustCompile(`Room +(http://.*)/r/lobby`).FindStringSubmatch(lines.Text()); room != nil {
			r.url = room[1]
		}
		if strings.HasPrefix(lines.Text(), "Open the room") {
			return r
		}
	}
	t.Fatalf("not ready: %s\n%s", r.out, r.log)
	return nil
}

func (r *running) get(path string, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := httpClient().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(body)
}

// httpClient keeps no connection, so that none outlives a test.
func httpClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

// stop sends a signal and returns the exit code.
func (r *running) stop(s syscall.Signal) int {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

func TestDevNeedsNothingAndSaysWhereItIs(t *testing.T) {
	r := startDev(t)
	for _, want := range []string{"Room", "http://localhost:", "Media", "udp 127.0.0.1:", "tcp 127.0.0.1:", "TURN", "turn:127.0.0.1:", "Data", r.data} {
		if !strings.Contains(r.out, want) {
			t.Errorf("does not say %q:\n%s", want, r.out)
		}
	}
	for path, want := range map[string]string{
		"/": "<!doctype html>", "/r/lobby": "<!doctype html>", "/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "turnout_rooms 0\n",
	} {
		if res, body := r.get(path); res.StatusCode != http.StatusOK || !strings.Contains(strings.ToLower(body), want) {
			t.Errorf("%s: %s %.200s", path, res.Status, body)
		}
	}
	if res, _ := r.get("/nothing"); res.StatusCode != http.StatusNotFound {
		t.Errorf("/nothing: %s", res.Status)
	}
}

func TestDevGivesTokensThatTheServerTakes(t *testing.T) {
	r := startDev(t)
	res, body := r.get("/api/token?room=lobby&identity=ada&name=" + url.QueryEscape("Ada Lovelace"))
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %s, %v", res.Status, body, err)
	}
	minted, err := command(t, nil, "token", "--data", r.data, "--room", "lobby", "--identity", "ada").Output()
	if err != nil {
		t.Fatal(err)
	}
	old, err := command(t, nil, "token", "--data", r.data, "--room", "lobby", "--identity", "ada", "--ttl", "-1m").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"from the door":        {got.Token, http.StatusNoContent},
		"from turnout token":   {strings.TrimSpace(string(minted)), http.StatusNoContent},
		"that has expired":     {strings.TrimSpace(string(old)), http.StatusUnauthorized},
		"that is not a token":  {"abc", http.StatusUnauthorized},
		"of another signature": {got.Token[:len(got.Token)-4] + "AAAA", http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/api/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		res, err := httpClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("a token %s: %s, want %d", name, res.Status, c.want)
		}
	}
}

func TestTheTokenDoorRefusesInWords(t *testing.T) {
	r := startDev(t)
	for name, c := range map[string]struct{ query, host, want string }{
		"no room":           {"?identity=a", "", "room must have 1 to 128 bytes"},
		"no identity":       {"?room=a", "", "identity must have 1 to 128 bytes"},
		"a long name":       {"?room=a&identity=b&name=" + strings.Repeat("n", 257), "", "name must have 0 to 256 bytes"},
		"not UTF-8":         {"?room=%ff&identity=b", "", "room must have"},
		"another host name": {"?room=a&identity=b", "evil.example", "this machine only"},
	} {
		header := []string{}
		if c.host != "" {
			header = []string{"Host", c.host}
		}
		res, body := r.get("/api/token"+c.query, header...)
		var refused protocol.Error
		if err := json.Unmarshal([]byte(body), &refused); err != nil || res.StatusCode != http.StatusBadRequest || !strings.Contains(refused.Message, c.want) || refused.Code == "" {
			t.Errorf("%s: %s %s", name, res.Status, body)
		}
	}
}

func TestTwoServersSideBySide(t *testing.T) {
	first, second := startDev(t), startDev(t)
	_, body := first.get("/api/token?room=lobby&identity=ada")
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		server *running
		want   int
	}{{first, http.StatusNoContent}, {second, http.StatusUnauthorized}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.server.url+"/api/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+got.Token)
		res, err := httpClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", c.server.url, res.Status, c.want)
		}
	}
}

func TestMetricsOnAnAddressOfTheirOwn(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := free.Addr().String()
	free.Close()
	r := startDev(t, "--metrics", own)
	if res, _ := r.get("/metrics"); res.StatusCode != http.StatusNotFound {
		t.Errorf("next to the app: %s", res.Status)
	}
	r.url = "http://" + own
	if res, body := r.get("/metrics"); res.StatusCode != http.StatusOK || !strings.Contains(body, "turnout_build_info") {
		t.Errorf("on its own: %s", res.Status)
	}
}

func TestASignalEndsTheServerInGoodOrder(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r := startDev(t, "--shutdown", "1m")
		if code := r.stop(s); code != 0 {
			t.Errorf("%s: exit code %d\n%s", s, code, r.log)
		}
		if !strings.Contains(r.log.String(), "stopping") {
			t.Errorf("%s: says nothing:\n%s", s, r.log)
		}
	}
}

func TestServeSaysWhereItIsAndKeepsItsSecrets(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	args := append([]string{"serve"}, anyPorts()[1:]...)
	for range 2 {
		log := &safeBuffer{}
		cmd := command(t, []string{"TURNOUT_LOG_FORMAT=json"}, append(args, "--data", data)...)
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for !strings.Contains(log.String(), `"msg":"serving"`) && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond) // polling another process
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, log)
		}
	}
	minted, err := command(t, nil, "token", "--data", data, "--room", "a b/c", "--identity", "ada", "--url", "https://meet.example.com/").Output()
	if want := "https://meet.example.com/r/a%20b%2Fc#token=ey"; err != nil || !strings.HasPrefix(string(minted), want) {
		t.Errorf("%s, %v; want %s…", minted, err, want)
	}
}

func TestVersionIsPrinted(t *testing.T) {
	if out, err := command(t, nil, "version").Output(); err != nil || !strings.HasPrefix(string(out), "turnout ") || len(strings.Fields(string(out))) != 2 {
		t.Errorf("%q, %v", out, err)
	}
}
