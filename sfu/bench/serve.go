//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// request is what this program asks of a server it has started, a line of JSON on its standard input.
type request struct {
	Join  *join  `json:",omitempty"`
	Leave string `json:",omitempty"`
	Usage bool   `json:",omitempty"`
	Tidy  bool   `json:",omitempty"` // collect garbage first
}

// join is an offer of a participant. It publishes on the first m-lines and receives the tracks of those it watches.
type join struct {
	ID           string
	SDP          string
	Audio, Video bool
	Watch        []string
}

// reply to a request. Usage is in microseconds, KiB and numbers of allocations.
type reply struct {
	ID     string `json:",omitempty"`
	SDP    string `json:",omitempty"`
	Error  string `json:",omitempty"`
	Usage  *usage `json:",omitempty"`
	Listen string `json:",omitempty"` // of a server without SDP
}

type usage struct{ CPU, RSS, Mallocs int64 }

// backend is a server under test, in a process of its own.
type backend interface {
	join(j join) (answer string, err error)
	leave(id string)
}

// serve runs a backend until standard input ends.
func serve(kind string) error {
	var b backend
	var err error
	out := json.NewEncoder(os.Stdout)
	switch kind {
	case kindTurnout:
		b, err = newTurnout()
	case kindNaive:
		b, err = newNaive()
	case kindFloor:
		var f *floor
		if f, err = newFloor(); err == nil {
			b, err = f, out.Encode(reply{Listen: f.addr()})
		}
	default:
		err = fmt.Errorf("unknown server %q", kind)
	}
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	answers := make(chan reply, 64)
	go func() {
		for r := range answers {
			if err := out.Encode(r); err != nil {
				slog.Error("answering", "error", err)
			}
		}
	}()
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		switch {
		case r.Join != nil:
			go func() {
				answer, err := b.join(*r.Join)
				if err != nil {
					answers <- reply{ID: r.Join.ID, Error: err.Error()}
					return
				}
				answers <- reply{ID: r.Join.ID, SDP: answer}
			}()
		case r.Leave != "":
			b.leave(r.Leave)
		case r.Usage:
			u := measureSelf(r.Tidy)
			answers <- reply{Usage: &u}
		}
	}
	return lines.Err()
}

func measureSelf(tidy bool) usage {
	if tidy {
		runtime.GC()
		debug.FreeOSMemory()
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return usage{CPU: cpu.Microseconds(), RSS: resident(), Mallocs: int64(mem.Mallocs)}
}

// resident is the memory of this process in KiB.
func resident() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(f[0], 10, 64)
	return n
}
