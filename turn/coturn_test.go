package turn

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The tests of this file use the tools of Debian's coturn package as an independent client.

// uclient starts turnutils_uclient and returns what waits for it to end and gives what it printed. It is stopped after 60 s.
// Each run sleeps most of its few seconds, so all runs of a test are started before the first is waited for.
func uclient(t *testing.T, args ...string) (wait func(t *testing.T) string) {
	t.Helper()
	tool, err := exec.LookPath("turnutils_uclient")
	if err != nil {
		t.Skip("turnutils_uclient is not installed: apt-get install coturn")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, tool, args...) //nolint:gosec // the arguments are this file's
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) string {
		t.Helper()
		_ = cmd.Wait() // the printed words are judged, not the exit code
		if ctx.Err() != nil {
			t.Errorf("turnutils_uclient %v did not end", args)
		}
		return out.String()
	}
}

// echoPair echoes at a port and the next one, where the client expects RTCP.
func echoPair(t *testing.T) (port string) {
	t.Helper()
	for range 100 {
		first, err := net.ListenUDP("udp", udpAddr("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		n := addrPort(first.LocalAddr()).Port()
		second, err := net.ListenUDP("udp", udpAddr(joinPort("127.0.0.1", int(n)+1)))
		if err != nil {
			_ = first.Close()
			continue
		}
		serveEcho(t, first)
		serveEcho(t, second)
		return fmt.Sprint(n)
	}
	t.Fatal("no two ports in a row")
	return ""
}

func portOf(t *testing.T, s *Server, kind string) string {
	t.Helper()
	return fmt.Sprint(listensAt(t, s, kind).Port())
}

func TestCoturnClientLosesNothing(t *testing.T) { planes(t, testCoturnClientLosesNothing) }

func testCoturnClientLosesNothing(t *testing.T, cfg Config) {
	t.Parallel()
	s := startTLS(t, cfg)
	peerPort := echoPair(t)
	type run struct {
		name, kind string
		messages   int
		args       []string
		wait       func(*testing.T) string
	}
	// Left out: -G binds channels with random numbers to random peers. A number that it draws twice gets the 400 that RFC 8656
	// §12.2 asks for, and the tool gives up.
	runs := []run{
		{"channels over UDP", kindUDP, 40, []string{"-c", "-e", "127.0.0.1"}, nil},
		{"send indications over UDP", kindUDP, 40, []string{"-c", "-s", "-e", "127.0.0.1"}, nil},
		{"channels over TCP", kindTCP, 40, []string{"-c", "-t", "-e", "127.0.0.1"}, nil},
		{"send indications over TCP", kindTCP, 40, []string{"-c", "-t", "-s", "-e", "127.0.0.1"}, nil},
		{"channels over TLS", kindTLS, 40, []string{"-c", "-t", "-S", "-e", "127.0.0.1"}, nil},
		{"send indications over TLS", kindTLS, 40, []string{"-c", "-t", "-S", "-s", "-e", "127.0.0.1"}, nil},
		{"client to client over TLS", kindTLS, 40, []string{"-c", "-t", "-S", "-y"}, nil},
		{"client to client", kindUDP, 40, []string{"-c", "-y"}, nil},
		{"with even ports and RTCP", kindUDP, 40, []string{"-e", "127.0.0.1"}, nil},
		{"many clients", kindUDP, 1200, []string{"-c", "-e", "127.0.0.1", "-m", "30", "-n", "40", "-z", "15", "-l", "1000"}, nil},
		{"padding", kindUDP, 40, []string{"-c", "-D", "-e", "127.0.0.1"}, nil},
	}
	for i, r := range runs {
		args := append([]string{"-p", portOf(t, s, r.kind), "-r", peerPort, "-u", "alice", "-W", "north", "-n", "20", "-m", "2"}, r.args...)
		runs[i].wait = uclient(t, append(args, "127.0.0.1")...)
	}
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			want := fmt.Sprintf("tot_send_msgs=%d, tot_recv_msgs=%d", r.messages, r.messages)
			if out := r.wait(t); !strings.Contains(out, want) {
				t.Errorf("want %q in\n%s\ndropped %v, refused %v", want, out, s.Stats().Dropped, s.Stats().Refused)
			}
		})
	}
}

func TestCoturnClientIsRefused(t *testing.T) {
	closed := loopback()
	closed.Relay.Allow = nil
	strict, open := start(t, closed), start(t, loopback())
	peer := echoPair(t)
	expired, password := open.settings.Load().keys.Mint("alice", time.Now().Add(-time.Minute))
	type run struct {
		name, want, kind string
		server           *Server
		args             []string
		wait             func(*testing.T) string
	}
	runs := []run{
		{"wrong secret", "Cannot complete Allocation", kindUDP, open, []string{"-W", "WRONG", "-c", "-e", "127.0.0.1"}, nil},
		{"expired secret", "Cannot complete Allocation", kindUDP, open, []string{"-u", expired, "-w", password, "-c", "-e", "127.0.0.1"}, nil},
		{"TCP allocation", "error 442", kindTCP, open, []string{"-W", "north", "-T"}, nil},
	}
	for _, a := range []string{
		"0.0.0.0", "10.0.0.1", "100.100.100.200", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1",
		"192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
	} {
		runs = append(runs,
			run{"permission for " + a, "error 403", kindUDP, strict, []string{"-W", "north", "-c", "-s", "-e", a}, nil},
			run{"channel to " + a, "error 403", kindUDP, strict, []string{"-W", "north", "-c", "-e", a}, nil})
	}
	for _, a := range []string{
		"::", "::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
		"64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2001:0:1:2:3:4:80ff:fffe", "::7f00:1",
	} {
		runs = append(runs, run{"IPv6 channel to " + a, "error 403", kindUDP, strict, []string{"-W", "north", "-x", "-c", "-e", a}, nil})
	}
	for i, r := range runs {
		args := append([]string{"-u", "alice", "-p", portOf(t, r.server, r.kind), "-r", peer, "-n", "2"}, r.args...)
		runs[i].wait = uclient(t, append(args, "127.0.0.1")...)
	}
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			if out := r.wait(t); !strings.Contains(out, r.want) {
				t.Errorf("want %q in\n%s", r.want, out)
			}
		})
	}
}
