//go:build unix

package lite_test

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a program and all that it starts into one process group, which killGroup ends.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
