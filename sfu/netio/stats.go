package netio

import (
	"slices"
	"strings"
	"sync/atomic"
)

// Capabilities is what a socket has to work with.
type Capabilities struct {
	Batch       bool // recvmmsg and sendmmsg
	GSO         bool // UDP_SEGMENT: the kernel cuts a run of equal datagrams
	GRO         bool // UDP_GRO: the kernel joins a run of equal datagrams
	ReusePort   bool // several sockets on one port
	ReadBuffer  int  // bytes the kernel granted; 0 where it does not say
	WriteBuffer int
	Notes       []string // a sentence for each thing that is missing, with the reason
}

// String is one line for the log.
func (c Capabilities) String() string {
	var has []string
	for name, ok := range map[string]bool{"batch": c.Batch, "GSO": c.GSO, "GRO": c.GRO, "reuseport": c.ReusePort} {
		if ok {
			has = append(has, name)
		}
	}
	if len(has) == 0 {
		has = []string{"portable"}
	}
	slices.Sort(has)
	return strings.Join(append([]string{strings.Join(has, "+")}, c.Notes...), "; ")
}

// Stats are counters of one socket since it was opened.
type Stats struct {
	PacketsIn, PacketsOut uint64
	BytesIn, BytesOut     uint64
	Receives, Sends       uint64 // system calls
	Blocked               uint64 // times the kernel's send buffer was full
	GSO                   bool   // in use now
	Dropped               map[string]uint64
}

// Reasons of Stats.Dropped.
const (
	DropOversize = "oversize" // received, larger than MaxDatagram
	DropKernel   = "kernel"   // received by the kernel and dropped: its buffer was full
	DropBlocked  = "blocked"  // to send, the kernel's buffer stayed full for WriteWait
	DropFailed   = "failed"   // to send, refused by the kernel: no route, firewall, wrong family
	DropNoRoom   = "no_room"  // to send, larger than a Writer's arena
	DropClosed   = "closed"   // to send, the socket was closed
)

type counters struct {
	packetsIn, packetsOut, bytesIn, bytesOut  atomic.Uint64
	receives, sends, blockedTimes             atomic.Uint64
	oversize, blocked, failed, noRoom, closed atomic.Uint64
}

// Stats may be called from any goroutine.
func (s *Socket) Stats() Stats {
	c := s.count
	return Stats{
		PacketsIn: c.packetsIn.Load(), PacketsOut: c.packetsOut.Load(), BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
		Receives: c.receives.Load(), Sends: c.sends.Load(), Blocked: c.blockedTimes.Load(), GSO: s.gso.Load(),
		Dropped: map[string]uint64{
			DropOversize: c.oversize.Load(), DropKernel: s.kernelDrops(), DropBlocked: c.blocked.Load(),
			DropFailed: c.failed.Load(), DropNoRoom: c.noRoom.Load(), DropClosed: c.closed.Load(),
		},
	}
}
