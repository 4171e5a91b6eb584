package turn

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The tests of this file use the tools of Debian's coturn package as an independent client.

// uclient runs turnutils_uclient against s and returns what it printed. It is stopped after 40 s.
func uclient(t *testing.T, s *Server, args ...string) string {
	t.Helper()
	tool, err := exec.LookPath("turnutils_uclient")
	if err != nil {
		t.Skip("turnutils_uclient is not installed: apt-get install coturn")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, tool, args...).CombinedOutput() //nolint:gosec // the arguments are this file's
	if ctx.Err() != nil {
		t.Errorf("turnutils_uclient %v did not end", args)
	}
	return string(out)
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

func portOf(t *testing.T, s *Server, network string) string {
	t.Helper()
	return fmt.Sprint(netip.MustParseAddrPort(serverAddr(t, s, network)).Port())
}

func TestCoturnClientLosesNothing(t *testing.T) {
	s := start(t, loopback())
	peerPort := echoPair(t)
	common := []string{"-u", "alice", "-W", "north", "-n", "20", "-m", "2"}
	for _, c := range []struct {
		name, network, messages string
		args                    []string
	}{
		{"channels over UDP", "udp", "40", []string{"-c", "-e", "127.0.0.1"}},
		{"send indications over UDP", "udp", "40", []string{"-c", "-s", "-e", "127.0.0.1"}},
		{"channels over TCP", "tcp", "40", []string{"-c", "-t", "-e", "127.0.0.1"}},
		{"send indications over TCP", "tcp", "40", []string{"-c", "-t", "-s", "-e", "127.0.0.1"}},
		{"client to client", "udp", "40", []string{"-c", "-y"}},
		{"with even ports and RTCP", "udp", "40", []string{"-e", "127.0.0.1"}},
		{"many clients", "udp", "2000", []string{"-c", "-e", "127.0.0.1", "-m", "50", "-n", "40", "-z", "5", "-l", "1000"}},
		{"padding", "udp", "40", []string{"-c", "-D", "-e", "127.0.0.1"}},
		{"extra requests", "udp", "40", []string{"-c", "-G", "-e", "127.0.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-p", portOf(t, s, c.network), "-r", peerPort}, common...)
			out := uclient(t, s, append(append(args, c.args...), "127.0.0.1")...)
			want := fmt.Sprintf("tot_send_msgs=%s, tot_recv_msgs=%s", c.messages, c.messages)
			if !strings.Contains(out, want) {
				t.Errorf("want %q in\n%s", want, out)
			}
		})
	}
}

func TestCoturnClientIsRefused(t *testing.T) {
	closed := loopback()
	closed.Relay.Allow = nil
	strict, open := start(t, closed), start(t, loopback())
	peer := echoPair(t)
	type refusal struct {
		name, want string
		server     *Server
		network    string
		args       []string
	}
	list := []refusal{
		{"wrong secret", "Cannot complete Allocation", open, "udp", []string{"-W", "WRONG", "-c", "-e", "127.0.0.1"}},
		{"TCP allocation", "error 442", open, "tcp", []string{"-W", "north", "-T"}},
	}
	for _, a := range []string{"127.0.0.1", "0.0.0.0", "10.0.0.1", "100.100.100.200", "169.254.169.254", "192.168.1.1", "224.0.0.1"} {
		list = append(list,
			refusal{"permission for " + a, "error 403", strict, "udp", []string{"-W", "north", "-c", "-s", "-e", a}},
			refusal{"channel to " + a, "error 403", strict, "udp", []string{"-W", "north", "-c", "-e", a}})
	}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-u", "alice", "-p", portOf(t, c.server, c.network), "-r", peer, "-n", "2"}, c.args...)
			if out := uclient(t, c.server, append(args, "127.0.0.1")...); !strings.Contains(out, c.want) {
				t.Errorf("want %q in\n%s", c.want, out)
			}
		})
	}
}
