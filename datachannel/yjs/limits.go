package yjs

import "fmt"

// Limits bound one document. The zero value of a limit means its default.
type Limits struct {
	UpdateBytes  int // size of one update; default 8 MiB
	Bytes        int // what the document holds, as Usage.Bytes counts it; default 64 MiB
	PendingBytes int // part of Bytes that waits behind gaps; default 1 MiB; below zero, updates with a gap are refused
	Clients      int // client ids: one for each page that ever edited; default 65536
}

const (
	defaultUpdateBytes  = 8 << 20
	defaultBytes        = 64 << 20
	defaultPendingBytes = 1 << 20
	defaultClients      = 1 << 16

	// maxClientBytes is what a record can address: its offsets are 32 bits wide.
	maxBytes = 1 << 31
)

// Validate says what is wrong with l and what to do about it.
func (l Limits) Validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{{"UpdateBytes", l.UpdateBytes}, {"Bytes", l.Bytes}, {"PendingBytes", l.PendingBytes}, {"Clients", l.Clients}} {
		if f.value > maxBytes || f.value < 0 && f.name != "PendingBytes" {
			return fmt.Errorf("yjs: limit %s is %d: set it between 1 and %d, or to 0 for its default", f.name, f.value, maxBytes)
		}
	}
	return nil
}

// orDefault fills in what was left zero.
func (l Limits) orDefault() Limits {
	return Limits{
		UpdateBytes:  or(l.UpdateBytes, defaultUpdateBytes),
		Bytes:        or(l.Bytes, defaultBytes),
		PendingBytes: or(l.PendingBytes, defaultPendingBytes),
		Clients:      or(l.Clients, defaultClients),
	}
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
