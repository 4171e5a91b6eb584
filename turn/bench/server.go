//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/turnout-rtc/turnout/turn"
)

const (
	realm  = "bench"
	secret = "bench-secret"
	// ticks per second of the times in /proc, the same on every Linux (USER_HZ).
	ticks = 100
)

// server is a TURN server that can be started on an address.
type server struct {
	name    string
	command func(addr string) *exec.Cmd
}

func ours(name string, args ...string) server {
	return server{name, func(addr string) *exec.Cmd {
		return exec.Command("/proc/self/exe", append([]string{"serve", addr}, args...)...) //nolint:gosec // ourselves
	}}
}

func coturn() (server, bool) {
	path, err := exec.LookPath("turnserver")
	return server{"coturn", func(addr string) *exec.Cmd {
		host, port, _ := net.SplitHostPort(addr)
		return exec.Command(path, "-n", "-L", host, "-E", host, "-p", port, "-r", realm, "--use-auth-secret", //nolint:gosec // found by LookPath
			"--static-auth-secret="+secret, "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls",
			"-m", "1", "--log-file=/dev/null", "--simple-log", "--pidfile=/dev/null")
	}}, err == nil
}

// serve runs our server until it is told to stop.
func serve(args []string) {
	cfg := turn.Config{
		Enabled: true, UDP: args[0], Realm: realm, Secret: secret,
		Relay:  turn.Relay{Allow: []string{"127.0.0.0/8"}, Portable: len(args) > 1},
		Limits: turn.Limits{AllocationsPerUser: -1, AllocationsPerSource: -1, Packets: -1, Bytes: -1},
	}
	s, err := turn.New(cfg, nil, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	_ = s.Close()
}

// measure runs the load against a fresh process.
func (s server) measure(l load) (result, error) {
	probe, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return result{}, err
	}
	addr := probe.LocalAddr().String()
	_ = probe.Close()
	cmd := s.command(addr)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	return l.run(addr, func() (time.Duration, error) { return cpuTime(cmd.Process.Pid) })
}

// cpuTime is what a process has used, from /proc/PID/stat (proc(5)): utime and stime are fields 14 and 15.
func cpuTime(pid int) (time.Duration, error) {
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:]) // from field 3 on
	const utime, stime = 14 - 3, 15 - 3
	var sum int64
	for _, i := range []int{utime, stime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * time.Second / ticks, nil
}
