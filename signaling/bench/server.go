package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
)

// server is a server that is measured.
type server struct {
	cmd  *exec.Cmd
	url  func(w wire) string // of the document
	data string              // directory to be removed; may be empty
	base string              // host and port; of turnout only
	// token is what Hocuspocus' clients authenticate with.
	token string
}

// The key that tokens are signed with, of a server that lives for a few seconds on loopback.
const (
	keyName   = "bench"
	keySecret = "0123456789abcdef0123456789abcdef"
)

func startTurnout(binary string) (*server, error) {
	data, err := os.MkdirTemp("", "turnout-bench-")
	if err != nil {
		return nil, err
	}
	token, err := auth.Mint(keyName, keySecret, auth.Token{Identity: "writer", Room: "room", Grants: auth.DefaultGrants(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		return nil, err
	}
	const free = "127.0.0.1:0"
	cmd := exec.Command(binary, "dev", "--data", data, "--listen", free, "--rtc-udp", free, "--rtc-tcp", free, "--no-turn-enabled", "--log-level", "warn") //nolint:gosec // the one that is to be measured
	cmd.Env = append(os.Environ(), "TURNOUT_SIGNALING_KEYS="+keyName+"="+keySecret)
	base, err := started(cmd, regexp.MustCompile(`Room +http://(.*)/r/lobby`))
	return &server{cmd: cmd, data: data, base: base, token: token, url: func(w wire) string {
		if w == hocuspocus {
			return "ws://" + base + "/hocuspocus/room"
		}
		return "ws://" + base + "/y/room/doc?token=" + token
	}}, err
}

// nodeFolder has the Node servers, from the top of the checkout.
var nodeFolder = filepath.Join("signaling", "bench", "servers")

func startNode(script string) (*server, error) {
	cmd := exec.Command("node", script) //nolint:gosec // one of two of ours
	cmd.Dir = nodeFolder
	base, err := started(cmd, regexp.MustCompile(`listening on (.*)`))
	return &server{cmd: cmd, token: "any", url: func(w wire) string {
		if w == hocuspocus {
			return "ws://" + base
		}
		return "ws://" + base + "/doc"
	}}, err
}

// started starts a server and waits until it says where it is.
func started(cmd *exec.Cmd, where *regexp.Regexp) (string, error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := alone(cmd); err != nil {
		return "", err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if found := where.FindStringSubmatch(lines.Text()); found != nil {
			return found[1], nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s does not say where it is", cmd.Path), cmd.Process.Kill(), cmd.Wait())
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	killed := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer killed.Stop()
	_ = s.cmd.Wait()
	if s.data != "" {
		_ = os.RemoveAll(s.data)
	}
}

// clockTick is the unit of CPU times in /proc (proc_pid_stat(5)); 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// cpu is the time that the server has used.
func (s *server) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, errors.New("/proc has no CPU time of the server")
	}
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick, err
}

// rss is the largest resident size so far, in bytes.
func (s *server) rss() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		return 0, errors.New("/proc has no size of the server")
	}
	kb, err := strconv.Atoi(string(found[1]))
	return kb << 10, err
}
