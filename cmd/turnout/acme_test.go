package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/turnout-rtc/turnout/cmd/turnout/certs"
	"github.com/turnout-rtc/turnout/cmd/turnout/front"
)

// authority is a real ACME server, Let's Encrypt's pebble, that comes to the given ports of 127.0.0.1 for every name.
type authority struct {
	directory, caFile string
	roots             *x509.CertPool // of the certificates that it gives
	stop              func()
}

// pebble is installed by make prepare.
func pebble(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("PEBBLE"); name != "" {
		return name
	}
	name, err := exec.LookPath("pebble")
	if err != nil {
		t.Skip("pebble is not installed: make prepare, and run the tests by make")
	}
	return name
}

// startAuthority starts one whose certificates hold for a time; 0 is for long.
func startAuthority(t *testing.T, tlsPort, httpPort int, holds time.Duration) authority {
	t.Helper()
	binary := pebble(t)
	dir := t.TempDir()
	if _, err := certs.OpenSelfSigned(dir, []string{"127.0.0.1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair := filepath.Join(dir, "self-signed.pem")
	main, management := freePort(t), freePort(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprint("127.0.0.1:", main), "managementListenAddress": fmt.Sprint("127.0.0.1:", management),
		"certificate": pair, "privateKey": pair, "httpPort": httpPort, "tlsPort": tlsPort,
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]int{"validityPeriod": int(holds.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-config", write(t, "pebble.json", string(config), 0o600), "-dnsserver", serveNames(t))
	cmd.Env = []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}
	log := &safeBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := authority{directory: fmt.Sprintf("https://127.0.0.1:%d/dir", main), caFile: pair, stop: func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}}
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			t.Log(log)
		}
	})
	text, err := os.ReadFile(pair)
	if err != nil {
		t.Fatal(err)
	}
	own := x509.NewCertPool()
	own.AppendCertsFromPEM(text)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: own}}}
	eventually(t, "pebble answers", func() bool {
		res, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/roots/0", management))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		root, _ := io.ReadAll(res.Body)
		a.roots = x509.NewCertPool()
		return a.roots.AppendCertsFromPEM(root)
	})
	return a
}

// serveNames is a DNS server that knows 127.0.0.1 only. pebble asks over TCP (RFC 7766).
func serveNames(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
				var err error
				for err == nil {
					err = answerName(conn)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// answerName answers one question.
func answerName(conn net.Conn) error {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	question := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, question); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return err
	}
	q := m.Questions[0]
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if q.Type == dnsmessage.TypeA {
		answer.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	packed, err := answer.AppendPack(make([]byte, 2, 512))
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(packed, uint16(len(packed)-2))
	_, err = conn.Write(packed)
	return err
}

// freePort is a port of 127.0.0.1 that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// eventually polls what another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// startServe runs turnout serve, or turnout turn, until the test ends.
func startServe(t *testing.T, env []string, args ...string) (cmd *exec.Cmd, log *safeBuffer) {
	t.Helper()
	log = &safeBuffer{}
	cmd = command(t, env, args...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
	eventually(t, strings.Join(args, " ")+" runs", func() bool {
		if strings.HasPrefix(log.String(), "turnout: ") {
			t.Fatal("it ended")
		}
		return strings.Contains(log.String(), "msg=serving ") || strings.Contains(log.String(), "msg=relaying ")
	})
	return cmd, log
}

// TestADomainGetsItsCertificate runs the server as an operator would, but for the ports and for who the authority is.
func TestADomainGetsItsCertificate(t *testing.T) {
	for name, tlsChallenge := range map[string]bool{"by TLS-ALPN-01": true, "by HTTP-01": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tlsPort, httpPort := freePort(t), freePort(t)
			challenged, redirect := tlsPort, ""
			if !tlsChallenge {
				challenged, redirect = freePort(t), fmt.Sprint("127.0.0.1:", httpPort)
			}
			a := startAuthority(t, challenged, httpPort, 0)
			data := filepath.Join(t.TempDir(), "data")
			args := append(append([]string{"serve"}, anyPorts()[1:]...), "--data", data, "--domain", "meet.test",
				"--tls-listen", fmt.Sprint("127.0.0.1:", tlsPort), "--tls-redirect", redirect,
				"--acme-directory", a.directory, "--acme-ca-file", a.caFile, "--acme-email", "ops@meet.test")
			cmd, _ := startServe(t, nil, args...)
			verified := func() *tls.Conn {
				c, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", tlsPort), &tls.Config{RootCAs: a.roots, ServerName: "meet.test", NextProtos: []string{"http/1.1"}})
				if err != nil {
					return nil
				}
				return c
			}
			eventually(t, "a certificate", func() bool {
				c := verified()
				if c != nil {
					c.Close()
				}
				return c != nil
			})
			checkSecure(t, verified, redirect, tlsPort)

			// It is kept: the next run needs no authority.
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			a.stop()
			startServe(t, nil, args...)
			eventually(t, "the kept certificate", func() bool {
				c := verified()
				if c != nil {
					c.Close()
				}
				return c != nil
			})
		})
	}
}

// TestACertificateThatEndsSoonIsRenewed has an authority whose certificates are soon at their end. Nobody restarts anything.
func TestACertificateThatEndsSoonIsRenewed(t *testing.T) {
	t.Parallel()
	var acme *certs.ACME
	port, err := front.Listen("127.0.0.1:0", front.Config{
		Certificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return acme.Certificate(hello) },
	})
	if err != nil {
		t.Fatal(err)
	}
	a := startAuthority(t, port.Addr().(*net.TCPAddr).Port, freePort(t), 12*time.Second)
	acme, err = certs.OpenACME(certs.Authority{
		Domain: "meet.test", Dir: t.TempDir(), Directory: a.directory, CAFile: a.caFile, TLS: port.Addr(), Check: 200 * time.Millisecond,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	port.Serve(front.Destinations{})
	ended := make(chan error, 1)
	go func() { ended <- http.Serve(port.HTTPS(), http.NotFoundHandler()) }()
	t.Cleanup(func() {
		port.Close()
		<-ended
		acme.Close()
	})
	if err := acme.Start(); err != nil {
		t.Fatal(err)
	}
	serials := map[string]bool{}
	eventually(t, "a second certificate, before the first has ended", func() bool {
		c, err := tls.Dial("tcp", port.Addr().String(), &tls.Config{RootCAs: a.roots, ServerName: "meet.test", NextProtos: []string{"http/1.1"}})
		switch {
		case err == nil:
			serials[c.ConnectionState().PeerCertificates[0].SerialNumber.String()] = true
			c.Close()
		case len(serials) > 0:
			t.Fatalf("with a certificate that was good: %v", err)
		}
		return len(serials) > 1
	})
	if left := time.Until(acme.NotAfter()); left < 4*time.Second {
		t.Errorf("the new one ends in %v", left)
	}
}

// checkSecure looks at what a server with a domain does besides.
func checkSecure(t *testing.T, dial func() *tls.Conn, redirect string, tlsPort int) {
	t.Helper()
	for path, want := range map[string]string{
		"/readyz": "200", "/r/lobby": "200", "/metrics": "404", "/v1/turn/credentials": "401",
	} {
		got := rawGet(t, dial(), path)
		if !strings.HasPrefix(got, "HTTP/1.1 "+want) || !strings.Contains(got, "Strict-Transport-Security: max-age=15552000\r\n") {
			t.Errorf("%s: %.300s", path, got)
		}
	}
	upgrade := rawGet(t, dial(), "/ws", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: turnout.v1")
	if !strings.HasPrefix(upgrade, "HTTP/1.1 101 ") {
		t.Errorf("WSS: %.300s", upgrade)
	}
	for _, addr := range []string{redirect, fmt.Sprint("127.0.0.1:", tlsPort)} {
		if addr == "" {
			continue
		}
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := rawGet(t, conn, "/r/lobby?a=b"); !strings.HasPrefix(got, "HTTP/1.1 308 ") || !strings.Contains(got, fmt.Sprintf("Location: https://meet.test:%d/r/lobby?a=b\r\n", tlsPort)) {
			t.Errorf("HTTP at %s: %.300s", addr, got)
		}
	}
}

// rawGet is one request on a connection of its own. It returns the head of the answer, with some of the body.
func rawGet(t *testing.T, conn net.Conn, path string, header ...string) string {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if len(header) == 0 {
		header = []string{"Connection: close"}
	}
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: meet.test\r\n%s\r\n\r\n", path, strings.Join(header, "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "\r\n\r\n") {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return got.String()
}
