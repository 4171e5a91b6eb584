//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/turnout-rtc/turnout/turn"
)

const (
	realm  = "bench"
	secret = "bench-secret"
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
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	r, err := l.run(addr, func() (time.Duration, error) { return cpuTime(cmd.Process.Pid) })
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return r, fmt.Errorf("%w; the server said: %s", err, said.String())
	}
	return r, nil
}

// cpuTime is what the threads of a process have used, from /proc/PID/task/*/schedstat, which counts nanoseconds where
// /proc/PID/stat counts ticks of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	list, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/schedstat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var used, waited int64
		if _, err := fmt.Sscan(string(b), &used, &waited); err != nil {
			return 0, err
		}
		sum += time.Duration(used)
	}
	return sum, nil
}
