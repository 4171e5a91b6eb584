package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/cmd/turnout/certs"
	"github.com/turnout-rtc/turnout/cmd/turnout/turnapi"
)

// relay is turnout turn in a process of its own.
type relay struct {
	t         *testing.T
	cmd       *exec.Cmd
	log       *safeBuffer
	url, data string
	udp       string // port
}

func startRelay(t *testing.T, env []string, flags ...string) *relay {
	t.Helper()
	r := &relay{t: t, url: fmt.Sprint("http://127.0.0.1:", freePort(t)), data: filepath.Join(t.TempDir(), "data")}
	args := append([]string{"turn", "--listen", "127.0.0.1:0", "--http", strings.TrimPrefix(r.url, "http://"), "--data", r.data, "--allow-peer", "127.0.0.0/8"}, flags...)
	r.cmd, r.log = startServe(t, env, args...)
	port := regexp.MustCompile(`stun:127\.0\.0\.1:(\d+)`).FindStringSubmatch(r.log.String())
	if port == nil {
		t.Fatalf("no address in %s", r.log)
	}
	r.udp = port[1]
	return r
}

func (r *relay) get(path, bearer string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := httpClient().Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (r *relay) list(args ...string) string {
	r.t.Helper()
	out, err := command(r.t, nil, append([]string{"turn", "list", "--url", r.url, "--data", r.data}, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// uclient is Debian's coturn client with arguments, for two clients that talk to each other through the server.
func uclient(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	tool, err := exec.LookPath("turnutils_uclient")
	if err != nil {
		t.Skip("turnutils_uclient is not installed: apt-get install coturn")
	}
	return exec.CommandContext(t.Context(), tool, append(append([]string{"-y", "-c"}, args...), "127.0.0.1")...)
}

// exchange is one run of coturn's client and whether it is to get everything through.
type exchange struct {
	args   []string
	passes bool
}

// exchanges runs them all at a time: the tool sleeps most of its own.
func exchanges(t *testing.T, all map[string]exchange) {
	t.Helper()
	var running sync.WaitGroup
	defer running.Wait()
	for name, e := range all {
		tool := uclient(t, append([]string{"-n", "10", "-m", "2"}, e.args...)...)
		running.Go(func() {
			out, _ := tool.CombinedOutput() // its words count, not its exit code
			if ok := strings.Contains(string(out), "tot_send_msgs=20, tot_recv_msgs=20"); ok != e.passes {
				t.Errorf("%s: everything got through: %v\n%s", name, ok, out)
			}
		})
	}
}

const sharedSecret = "north"

// TestTURNAloneDoesCoturnsJob gives coturn's client nothing but the shared secret, as an application that minted by itself.
func TestTURNAloneDoesCoturnsJob(t *testing.T) {
	t.Parallel()
	pair := t.TempDir()
	if _, err := certs.OpenSelfSigned(pair, []string{"127.0.0.1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(pair, "self-signed.pem")
	tlsPort := fmt.Sprint(freePort(t))
	r := startRelay(t, []string{"TURNOUT_TURN_SECRET=" + sharedSecret}, "--tls-listen", "127.0.0.1:"+tlsPort, "--tls-cert", cert, "--tls-key", cert)
	exchanges(t, map[string]exchange{
		"over UDP":                    {[]string{"-u", "ada", "-W", sharedSecret, "-p", r.udp}, true},
		"over TLS":                    {[]string{"-u", "ada", "-W", sharedSecret, "-t", "-S", "-p", tlsPort}, true},
		"over TCP on the port of TLS": {[]string{"-u", "ada", "-W", sharedSecret, "-t", "-p", tlsPort}, true},
		"with a wrong secret":         {[]string{"-u", "ada", "-W", "wrong", "-p", r.udp}, false},
	})
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/metrics": "turnout_turn_allocations_created_total"} {
		if status, body := r.get(path, ""); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.300s", path, status, body)
		}
	}
	if status, _ := r.get("/r/lobby", ""); status != http.StatusNotFound {
		t.Errorf("there is a room: %d", status)
	}
	c, err := tls.Dial("tcp", "127.0.0.1:"+tlsPort, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawGet(t, c, "/v1/turn/credentials"); !strings.HasPrefix(got, "HTTP/1.1 401 ") || strings.Contains(got, "Strict-Transport") {
		t.Errorf("HTTPS: %s", got)
	}
}

func TestTURNListShowsWhoIsThere(t *testing.T) {
	t.Parallel()
	r := startRelay(t, nil)
	if got := r.list(); got != "USER  CLIENT  TRANSPORT  RELAYED  AGE  UP  DOWN\n" {
		t.Errorf("nobody: %q", got)
	}
	key, err := os.ReadFile(filepath.Join(r.data, operatorFile))
	if err != nil {
		t.Fatal(err)
	}
	var c turnapi.Credentials
	if status, body := r.get("/v1/turn/credentials?username=ada", strings.TrimSpace(string(key))); status != http.StatusOK || json.Unmarshal([]byte(body), &c) != nil {
		t.Fatalf("%d %s", status, body)
	}
	client := uclient(t, "-n", "100000", "-u", c.Username, "-w", c.Password, "-p", r.udp)
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = client.Process.Kill()
		_ = client.Wait()
	}()
	line := regexp.MustCompile(`(?m)^ada +127\.0\.0\.1:\d+ +udp +127\.0\.0\.1:\d+ +\d+s +\d+ +\d+$`)
	eventually(t, "an allocation in the list", func() bool { return line.MatchString(r.list()) })
	var all turnapi.Allocations
	if err := json.Unmarshal([]byte(r.list("--json")), &all); err != nil || len(all.Allocations) == 0 {
		t.Errorf("%+v, %v", all, err)
	}

	// The process waits for them, and a second signal does not.
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "/readyz says that it stops", func() bool { status, _ := r.get("/readyz", ""); return status == http.StatusServiceUnavailable })
	if status, _ := r.get("/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestTURNAloneStopsAtOnceWhenNobodyIsThereAndAtTheDeadlineOtherwise(t *testing.T) {
	t.Parallel()
	idle := startRelay(t, nil, "--shutdown", "10m")
	if err := idle.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := idle.cmd.Wait(); err != nil {
		t.Error(err)
	}
	busy := startRelay(t, []string{"TURNOUT_TURN_SECRET=" + sharedSecret}, "--shutdown", "200ms")
	client := uclient(t, "-n", "100000", "-u", "ada", "-W", sharedSecret, "-p", busy.udp)
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = client.Process.Kill()
		_ = client.Wait()
	}()
	eventually(t, "an allocation", func() bool { return strings.Count(busy.list(), "\n") > 1 })
	if err := busy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := busy.cmd.Wait(); err != nil || !strings.Contains(busy.log.String(), "allocations were ended") {
		t.Errorf("%v\n%s", err, busy.log)
	}
}

func TestSIGHUPTakesOverTheSecretAndTheCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := write(t, "secret", "old", 0o600)
	renew := func() string {
		if _, err := certs.OpenSelfSigned(dir, []string{"127.0.0.1"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, "self-signed.pem")
	}
	cert := renew()
	tlsAddr := fmt.Sprint("127.0.0.1:", freePort(t))
	r := startRelay(t, nil, "--secret-file", secret, "--tls-listen", tlsAddr, "--tls-cert", cert, "--tls-key", cert)
	serial := func() string {
		c, err := tls.Dial("tcp", tlsAddr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	reload := func(times int, word string) {
		t.Helper()
		if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, word, func() bool { return strings.Count(r.log.String(), word) == times })
	}
	if err := os.WriteFile(secret, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	renew()
	reload(1, "msg=reloaded")
	if serial() == before {
		t.Error("the certificate is the old one")
	}
	exchanges(t, map[string]exchange{
		"the new secret": {[]string{"-u", "ada", "-W", "new", "-p", r.udp}, true},
		"the old secret": {[]string{"-u", "ada", "-W", "old", "-p", r.udp}, false},
	})
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	reload(1, "not reloaded")
	exchanges(t, map[string]exchange{"after a reload that failed": {[]string{"-u", "ada", "-W", "new", "-p", r.udp}, true}})
}

func TestWithoutTURNThereIsNoAPIForIt(t *testing.T) {
	r := startDev(t, "--no-turn-enabled")
	if !regexp.MustCompile(`TURN +off`).MatchString(r.out) {
		t.Error(r.out)
	}
	if res, _ := r.get("/v1/turn/credentials"); res.StatusCode != http.StatusNotFound {
		t.Errorf("/v1/turn/credentials: %s", res.Status)
	}
	line := fails(t, nil, "turn", "list", "--url", r.url, "--operator-key", "x")
	if !strings.Contains(line, "turn.enabled") {
		t.Error(line)
	}
}

// TestParticipantsGetCredentials does what a page does that wants TURN for something of its own.
func TestParticipantsGetCredentials(t *testing.T) {
	r := startDev(t)
	_, body := r.get("/api/token?room=lobby&identity=ada")
	var minted struct{ Token string }
	if err := json.Unmarshal([]byte(body), &minted); err != nil {
		t.Fatal(err)
	}
	res, body := r.get("/v1/turn/credentials", "Authorization", "Bearer "+minted.Token)
	var c turnapi.Credentials
	if err := json.Unmarshal([]byte(body), &c); err != nil || res.StatusCode != http.StatusOK || !strings.HasSuffix(c.Username, ":ada@lobby") {
		t.Errorf("%s %s, %v", res.Status, body, err)
	}
}

// TestALocalNetworkGetsACertificateOnRequest compares what is printed with what is shown.
func TestALocalNetworkGetsACertificateOnRequest(t *testing.T) {
	port := freePort(t)
	r := startDev(t, "--tls-self-signed", "--tls-listen", fmt.Sprint("127.0.0.1:", port))
	printed := regexp.MustCompile(`SHA-256 +([0-9A-F:]{95})\n`).FindStringSubmatch(r.out)
	if printed == nil || !strings.Contains(r.out, fmt.Sprintf("https://127.0.0.1:%d/r/lobby", port)) {
		t.Fatal(r.out)
	}
	kept, err := certs.OpenSelfSigned(r.data, nil, time.Now())
	if err != nil || kept.Fingerprint() != printed[1] {
		t.Errorf("kept %v, %v", kept, err)
	}
	c, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", port), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawGet(t, c, "/"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || strings.Contains(got, "Strict-Transport") {
		t.Errorf("%.300s", got)
	}
}
