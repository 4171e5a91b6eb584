package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatGoesWrongIsOneLineThatSaysWhatToDo runs the binary that people run.
func TestWhatGoesWrongIsOneLineThatSaysWhatToDo(t *testing.T) {
	unknown := write(t, "unknown.yaml", "listen: \":1\"\nsignaling:\n  mesage_bytes: 1\n", 0o600)
	wrong := write(t, "wrong.yaml", "rtc: {max_slots: many}\n", 0o600)
	open := write(t, "open.yaml", "turn: {secret: not-so-secret}\n", 0o644)
	openKeys := write(t, "keys", "a: b\n", 0o604)
	short := write(t, "short.yaml", "signaling: {keys: {short: abc}}\n", 0o600)
	gone := filepath.Join(t.TempDir(), "gone.yaml")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"unknown flag", nil, []string{"serve", "--rtc-udpp", ":1"}, []string{`did you mean "--rtc-udp"?`}},
		{"unknown key", nil, []string{"serve", "-c", unknown}, []string{unknown + ":3: unknown key signaling.mesage_bytes, did you mean signaling.message_bytes?"}},
		{"wrong type", nil, []string{"serve", "-c", wrong}, []string{wrong + ":1: rtc.max_slots must be a whole number"}},
		{"no file", nil, []string{"serve", "-c", gone}, []string{"cannot read the configuration file", gone}},
		{"a folder as file", nil, []string{"serve", "-c", t.TempDir()}, []string{"cannot read the configuration file", "is a directory"}},
		{"a file with secrets that all may read", nil, []string{"serve", "-c", open}, []string{open, "chmod o="}},
		{"keys that all may read", []string{"TURNOUT_SIGNALING_KEYS_FILE=" + openKeys}, []string{"serve"}, []string{"TURNOUT_SIGNALING_KEYS_FILE", openKeys, "chmod o="}},
		{"a secret given twice", []string{"TURNOUT_TURN_SECRET=a", "TURNOUT_TURN_SECRET_FILE=b"}, []string{"serve"}, []string{"TURNOUT_TURN_SECRET and TURNOUT_TURN_SECRET_FILE are both set"}},
		{"a bad variable", []string{"TURNOUT_SIGNALING_RATE=plenty"}, []string{"serve"}, []string{"TURNOUT_SIGNALING_RATE", "--signaling-rate"}},
		{"a mistyped variable", []string{"TURNOUT_SIGNALLING_RATE=1"}, []string{"serve"}, []string{"TURNOUT_SIGNALLING_RATE, did you mean TURNOUT_SIGNALING_RATE?"}},
		{"a bad key", nil, []string{"serve", "-c", short}, []string{`"short"`, "openssl rand"}},
		{"a bad address", nil, []string{"serve", "--public-ip", "example"}, []string{"public_ip", `"example" is not an IP address`}},
		{"an unknown level", nil, []string{"serve", "--log-level", "loud"}, []string{"--log-level must be one of"}},
		{"dev for everyone", nil, []string{"dev", "--listen", ":7880"}, []string{"--insecure-lan", "turnout serve"}},
		{"data that cannot be written", nil, []string{"dev", "--data", "/proc/nothing"}, []string{"cannot make the data directory", "--data"}},
		{"a token without a key", nil, []string{"token", "--room", "r", "--identity", "i", "--data", t.TempDir()}, []string{"no signing key", "--data", "--config", "TURNOUT_SIGNALING_KEYS"}},
		{"a token without a room", nil, []string{"token", "--identity", "i"}, []string{"--room"}},
		{"no command", nil, nil, []string{"dev", "serve", "token", "load", "turnout --help"}},
		{"a mistyped command", nil, []string{"server"}, []string{"server", "turnout --help"}},
		{"a flag without its value", nil, []string{"serve", "--listen"}, []string{"--listen needs a value"}},
		{"a short flag without its value", nil, []string{"serve", "-c"}, []string{"-c needs a value"}},
		{"a time that is missing", nil, []string{"token", "--room", "r", "--identity", "i", "--ttl"}, []string{"--ttl needs a value"}},
		{"nowhere to listen", nil, []string{"serve", "--listen", ""}, []string{`listen: ""`, "host:port"}},
		{"nowhere to listen, in dev", nil, []string{"dev", "--listen", ""}, []string{`listen: ""`, "host:port"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := fails(t, c.env, c.args...)
			for _, part := range c.want {
				if !strings.Contains(line, part) {
					t.Errorf("%q does not say %q", line, part)
				}
			}
			for _, secret := range []string{"not-so-secret", "plenty", "abc"} {
				if strings.Contains(line, secret) {
					t.Errorf("%q repeats a value that may be a secret", line)
				}
			}
		})
	}
}

func TestAnAddressInUseNamesItAndTheFlagThatChangesIt(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for flag, addr := range map[string]string{
		"--listen": tcp.Addr().String(), "--metrics": tcp.Addr().String(), "--rtc-udp": udp.LocalAddr().String(),
		"--rtc-tcp": tcp.Addr().String(), "--turn-udp": udp.LocalAddr().String(), "--turn-tcp": tcp.Addr().String(),
	} {
		t.Run(flag, func(t *testing.T) {
			line := fails(t, nil, append(anyPorts(), flag, addr)...)
			if !strings.Contains(line, addr+" is in use") || !strings.Contains(line, flag) {
				t.Errorf("%q does not name %s and %s", line, addr, flag)
			}
		})
	}
}

// anyPorts are the arguments of a server whose ports the system chooses.
func anyPorts() []string {
	const free = "127.0.0.1:0"
	return []string{"dev", "--listen", free, "--rtc-udp", free, "--rtc-tcp", free, "--turn-udp", free, "--turn-tcp", free}
}

func TestDevWithoutAWritableHomeKeepsDataInATemporaryDirectory(t *testing.T) {
	var cfg Config
	t.Setenv("XDG_DATA_HOME", "/proc/nothing")
	t.Setenv("TMPDIR", t.TempDir())
	cleanup, err := devData(&cfg, quiet())
	if err != nil || !strings.HasPrefix(cfg.Data, os.Getenv("TMPDIR")) {
		t.Fatalf("data in %q, %v", cfg.Data, err)
	}
	cleanup()
	if _, err := os.Stat(cfg.Data); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}

func TestWhatIsWrongWithACertificateIsSaidAtTheStart(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone.pem")
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := busy.Addr().String()
	data := []string{"--data", filepath.Join(t.TempDir(), "data"), "--tls-listen", "127.0.0.1:0"}
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"a URL as name", []string{"--domain", "https://meet.test"}, []string{"domain", "not a host name"}},
		{"half a certificate", []string{"--tls-cert", gone}, []string{"tls.cert and tls.key belong together"}},
		{"no such file", []string{"--tls-cert", gone, "--tls-key", gone}, []string{"tls.cert", gone}},
		{"two certificates", []string{"--tls-cert", gone, "--tls-key", gone, "--tls-self-signed"}, []string{"exclude each other"}},
		{"no roots", []string{"--domain", "meet.test", "--tls-redirect", "", "--acme-ca-file", gone}, []string{"acme.ca_file", gone}},
		{"a taken port", []string{"--tls-self-signed", "--tls-listen", taken}, []string{taken + " is in use", "--tls-listen"}},
		{"a taken port of the redirect", []string{"--domain", "meet.test", "--tls-redirect", taken}, []string{taken + " is in use", "--tls-redirect"}},
		{"a short key", []string{"--operator-key", "short"}, []string{"operator_key has 5 bytes", "openssl rand"}},
		{"no rate", []string{"--api-rate", "0"}, []string{"api_rate"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := fails(t, nil, append(append(anyPorts(), data...), c.args...)...)
			for _, part := range c.want {
				if !strings.Contains(line, part) {
					t.Errorf("%q does not say %q", line, part)
				}
			}
		})
	}
	for name, args := range map[string][]string{
		"--listen": {"turn", "--listen", taken, "--data", t.TempDir()}, "--http": {"turn", "--listen", "127.0.0.1:0", "--http", taken, "--data", t.TempDir()},
		"--secret-file": {"turn", "--secret-file", gone}, "--insecure-lan": append(anyPorts(), "--tls-self-signed", "--tls-listen", ":0"),
	} {
		if line := fails(t, nil, args...); !strings.Contains(line, name) {
			t.Errorf("%q does not name %s", line, name)
		}
	}
}
