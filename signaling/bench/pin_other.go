//go:build !linux

package main

import "os/exec"

// alone starts a server: on which processor is the system's to decide.
func alone(cmd *exec.Cmd) error { return cmd.Start() }
