package main

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/cmd/turnout/certs"
)

// TestADomainHasOnePortForEverything runs the server as an operator would, but for the number of the port.
func TestADomainHasOnePortForEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := certs.OpenSelfSigned(dir, []string{"meet.test"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair := filepath.Join(dir, "self-signed.pem")
	port := fmt.Sprint(freePort(t))
	at := "127.0.0.1:" + port
	_, log := startServe(t, []string{"TURNOUT_TURN_SECRET=" + sharedSecret}, "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"),
		"--domain", "meet.test", "--tls-listen", at, "--tls-cert", pair, "--tls-key", pair, "--tls-redirect", "", "--turn-relay-allow", "127.0.0.0/8")
	for _, want := range []string{
		"udp " + at, "tcp " + at, "stun:" + at, "turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp", "turns:meet.test:" + port + "?transport=tcp",
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%s is not announced", want)
		}
	}
	if text := log.String(); strings.Contains(text, "7882") || strings.Contains(text, "3478") {
		t.Errorf("another port: %s", text)
	}
	all := map[string]exchange{}
	for name, args := range map[string][]string{"over UDP": nil, "over TCP": {"-t"}, "over TLS": {"-t", "-S"}, "indications over UDP": {"-s"}} {
		all["TURN "+name] = exchange{append([]string{"-u", "ada", "-W", sharedSecret, "-p", port}, args...), true}
	}
	exchanges(t, all)
	c, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := rawGet(t, c, "/readyz"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("HTTPS: %.300s", got)
	}
}
