//go:build linux

package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes up a goroutine in time. Timers of Go are late by up to a millisecond in a process that sleeps: its poller knows
// no shorter pauses. Publishers that are due within the same millisecond would all send at its end.
type alarm struct {
	file *os.File
	fd   int
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &alarm{os.NewFile(uintptr(fd), "timerfd"), fd}, nil
}

// wait returns at a time, or when the alarm is closed.
func (a *alarm) wait(until time.Time) {
	pause := unix.NsecToTimespec(max(time.Until(until).Nanoseconds(), 1)) // 0 would disarm it
	if unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: pause}, nil) != nil {
		return
	}
	var expired [8]byte
	_, _ = a.file.Read(expired[:])
}

func (a *alarm) close() { _ = a.file.Close() }
