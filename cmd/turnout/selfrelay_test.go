package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A server that relays to itself only opens no port for that, and media flows all the same.
func TestRelayToItselfOpensNoPorts(t *testing.T) {
	r := startDev(t, "--turn-relay-mode", "self")
	before := sockets(t, r.cmd.Process.Pid)
	load := command(t, nil, "load", "--url", r.url, "--data", r.data, "--publishers", "1", "--subscribers", "2", "--relay-only", "--duration", "1s", "--json")
	done := make(chan []byte)
	go func() {
		out, err := load.Output()
		if err != nil {
			t.Errorf("load: %v\n%s", err, out)
		}
		done <- out
	}()
	most := 0
	var out []byte
	for out == nil {
		select {
		case out = <-done:
		default:
			_, body := r.get("/metrics")
			if _, rest, ok := strings.Cut(body, "\nturnout_turn_handover_clients "); ok {
				line, _, _ := strings.Cut(rest, "\n")
				n, _ := strconv.Atoi(line)
				most = max(most, n)
			}
			if now := sockets(t, r.cmd.Process.Pid); now > before {
				t.Fatalf("%d UDP sockets, %d before", now, before)
			}
		}
	}
	var report struct{ Joined, Failed, Packets, Missing int }
	if err := json.Unmarshal(out, &report); err != nil || report.Joined != 3 || report.Failed != 0 || report.Packets < 100 || report.Missing > report.Packets/10 {
		t.Errorf("%v: %s", err, out)
	}
	if most < 3 { // each may have relays over UDP and over TCP
		t.Errorf("%d clients were handed over", most)
	}
}

// sockets counts the UDP sockets of a process.
func sockets(t *testing.T, pid int) int {
	t.Helper()
	of := map[string]bool{}
	for _, family := range []string{"udp", "udp6"} {
		table, err := os.ReadFile("/proc/self/net/" + family)
		if err != nil {
			t.Skipf("sockets cannot be counted here: %v", err)
		}
		for _, line := range strings.Split(string(table), "\n")[1:] {
			if f := strings.Fields(line); len(f) > 9 {
				of["socket:["+f[9]+"]"] = true
			}
		}
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil && of[to] {
			n++
		}
	}
	return n
}
