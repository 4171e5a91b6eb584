//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The processors: one for the server, one for this program.
const (
	serverCPU = 0
	ownCPU    = 1
)

const oneProcessor = "GOMAXPROCS=1"

// confine starts this program again on its own processor, where it is not yet on one. A process that binds itself leaves
// threads behind that the Go runtime has started before.
func confine() error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	if set.Count() == 1 {
		return nil
	}
	return bound(ownCPU, func() error {
		return syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), oneProcessor)) //nolint:gosec // ourselves
	})
}

// bound calls f in a thread on one processor, which what it starts inherits.
func bound(cpu int, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return unix.SchedSetaffinity(0, &before)
}

// checkBound says whether all threads of a process are on one processor.
func checkBound(pid int) error {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		var set unix.CPUSet
		if unix.SchedGetaffinity(tid, &set) == nil && set.Count() != 1 { // an error: the thread has ended
			return fmt.Errorf("thread %d of process %d may run on %d processors", tid, pid, set.Count())
		}
	}
	return nil
}

// used is the time a processor was busy since the system has started, in µs, whoever used it.
func used(cpu int) (sum int64) {
	const tick = 10000 // µs: proc(5) counts in hundredths of a second
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, " ")
		if name != fmt.Sprintf("cpu%d", cpu) {
			continue
		}
		for i, f := range strings.Fields(rest) {
			if n, err := strconv.ParseInt(f, 10, 64); err == nil && i < 8 && i != 3 && i != 4 { // idle, and waiting for disks
				sum += n * tick
			}
		}
	}
	return sum
}

// spent is the time this program has used, in µs.
func spent() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return (used.Utime.Nano() + used.Stime.Nano()) / 1000
}
