package main

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"syscall"
)

// explain says in one line what is wrong with an address and which flag changes it.
func explain(err error, udpFlag, tcpFlag string) error {
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	network := strings.TrimRight(op.Net, "46")
	flag, where := udpFlag, network+" that address"
	if network == "tcp" {
		flag = tcpFlag
	}
	if op.Addr != nil {
		where = network + " " + op.Addr.String()
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use: stop the program that uses it, or choose another address with %s", where, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine: choose another with %s", where, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("not allowed to open %s: ports below 1024 need CAP_NET_BIND_SERVICE; choose another address with %s", where, flag)
	}
	return fmt.Errorf("%w: choose another address with %s", err, flag)
}

// version is what the Go toolchain knows of the checkout the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
