package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// The processors, where there are two: one for the server, one for the load.
const (
	serverCPU = 0
	loadCPU   = 1
)

// allow keeps a thread, 0 for this one, on one processor.
func allow(thread, cpu int) {
	mask := [16]uint64{0: 1 << cpu}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(thread), unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))) // without it, all share all
}

// alone starts a server on a processor of its own, and keeps this process on the other.
func alone(cmd *exec.Cmd) error {
	if runtime.NumCPU() < 2 {
		return cmd.Start()
	}
	cmd.Env = append(cmd.Environ(), "GOMAXPROCS=1")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	allow(0, serverCPU) // which the new process inherits
	err := cmd.Start()
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			allow(id, loadCPU)
		}
	}
	return err
}
