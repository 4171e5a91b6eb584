//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// The servers.
const (
	kindTurnout = "turnout"
	kindNaive   = "naive"
	kindFloor   = "floor"
)

// process is a server that this program has started, on a processor of its own where there are two.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	listen string // of the floor
	usages chan usage
	done   chan struct{}

	mu      sync.Mutex
	waiting map[string]chan reply // joins; guarded by mu
}

func start(kind string) (*process, error) {
	cmd := exec.Command("/proc/self/exe", "serve", kind) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), oneProcessor)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := bound(serverCPU, cmd.Start); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, usages: make(chan usage, 1), done: make(chan struct{}), waiting: map[string]chan reply{}}
	listen := make(chan string, 1)
	go p.read(out, listen)
	if kind == kindFloor {
		select {
		case p.listen = <-listen:
		case <-p.done:
			return nil, errors.New("the floor did not start")
		}
	}
	return p, nil
}

func (p *process) read(out io.Reader, listen chan<- string) {
	defer close(p.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r reply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		switch {
		case r.Usage != nil:
			p.usages <- *r.Usage
		case r.Listen != "":
			listen <- r.Listen
		default:
			p.mu.Lock()
			to := p.waiting[r.ID]
			delete(p.waiting, r.ID)
			p.mu.Unlock()
			if to != nil {
				to <- r
			}
		}
	}
}

func (p *process) ask(r request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.in.Write(append(b, '\n'))
	return err
}

// join has the server answer an offer.
func (p *process) join(j join) (string, error) {
	to := make(chan reply, 1)
	p.mu.Lock()
	p.waiting[j.ID] = to
	p.mu.Unlock()
	if err := p.ask(request{Join: &j}); err != nil {
		return "", err
	}
	select {
	case r := <-to:
		if r.Error != "" {
			return "", errors.New(r.Error)
		}
		return r.SDP, nil
	case <-p.done:
		return "", errors.New("the server has ended")
	case <-time.After(patience):
		return "", fmt.Errorf("%s got no answer", j.ID)
	}
}

func (p *process) usage(tidy bool) (usage, error) {
	if err := p.ask(request{Usage: true, Tidy: tidy}); err != nil {
		return usage{}, err
	}
	select {
	case u := <-p.usages:
		return u, nil
	case <-p.done:
		return usage{}, errors.New("the server has ended")
	}
}

// stop ends the server, which notices that its standard input has ended.
func (p *process) stop() {
	_ = p.in.Close()
	<-p.done
	_ = p.cmd.Wait()
}
