package lite

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// Config of a Server. The zero value of a limit means its default.
type Config struct {
	UDP       []netip.AddrPort   // local addresses, one port; an unspecified one means every address of this machine
	TCP       []netip.AddrPort   // likewise, for ICE over TCP; none turns it off
	Shared    []netip.AddrPort   // likewise, where somebody else listens and hands connections to AdoptTCP
	Advertise []answer.Candidate // what answers contain; none means the addresses listened on, and Shared
	Net       netio.Config       // of the UDP sockets; Addr is not used

	Full bool     // for a server behind a NAT: it sends checks, too, and finds out how the NAT shows it
	STUN []string // servers to ask for that, as host:port or host; not used without Full

	// Interfaces lists the addresses of this machine, what an unspecified address stands for; nil asks the system.
	Interfaces func() ([]netip.Addr, error)

	Certificate tls.Certificate // of DTLS; none makes one
	Policy      answer.Policy
	Offer       answer.Limits
	Timing      icelite.Timing
	Paths       demux.Limits
	Limits      Limits

	// Media takes what is not for the transport itself, see Received. It is called by several readers at once, for one
	// socket by one. It must not keep the slice.
	Media func([]Received)
}

// Limits of a Server and its transports. The zero value of a field means its default.
type Limits struct {
	Handshake   time.Duration // for DTLS; default 30 s
	Control     int           // datagrams of a handshake waiting to be read, per transport; default 256
	Channels    int           // data channels per transport; default 16
	Message     int           // bytes of a data channel message received; default 65,536
	Receive     int           // bytes of received messages that wait for their handlers, per transport; default 1 MiB
	Send        int           // bytes of messages that wait to be sent or acknowledged, per transport; default 4 MiB
	TCPConns    int           // all together; default 4096
	TCPStrange  int           // of them not yet authenticated; default 256
	TCPIdle     time.Duration // until a TCP connection must have authenticated; then without a check; default 10 s, 30 s
	TCPBuffer   int           // bytes waiting to be sent on a TCP connection; default 256 KiB
	TCPPerOwner int           // connections of one transport; default 4
	Foreign     int           // datagrams waiting for who takes the foreign ones, per socket; default 512
	Candidates  int           // of a peer that are checked, with Config.Full; default 32
	Addresses   int           // of this machine that are listened on; default 32
	Watch       time.Duration // between two looks at the addresses of this machine; default 5 s
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Control, 256)
	set(&l.Channels, 16)
	set(&l.Message, 64<<10)
	set(&l.Receive, 1<<20)
	set(&l.Send, 4<<20)
	set(&l.TCPConns, 4096)
	set(&l.TCPStrange, 256)
	set(&l.TCPBuffer, 256<<10)
	set(&l.TCPPerOwner, 4)
	set(&l.Foreign, 512)
	set(&l.Candidates, 32)
	set(&l.Addresses, 32)
	if l.Watch <= 0 {
		l.Watch = 5 * time.Second
	}
	if l.Handshake <= 0 {
		l.Handshake = 30 * time.Second
	}
	if l.TCPIdle <= 0 {
		l.TCPIdle = 10 * time.Second
	}
	return l
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	switch {
	case len(c.UDP) == 0:
		return errors.New("lite: no UDP address to listen on")
	case c.Media == nil:
		return errors.New("lite: nobody takes the media: set Config.Media")
	}
	for _, a := range slices.Concat(c.UDP, c.TCP, c.Shared) {
		if !a.Addr().IsValid() {
			return fmt.Errorf("lite: %v is no address to listen on", a)
		}
	}
	for _, a := range c.Advertise {
		if a.Protocol != "udp" && a.Protocol != "tcp" || !a.Addr.IsValid() || a.Addr.Addr().IsUnspecified() {
			return fmt.Errorf("lite: %s %v cannot be advertised: give the address that clients reach", a.Protocol, a.Addr)
		}
	}
	return nil
}

// Received is a datagram of SRTP or SRTCP, still encrypted, from a known peer: one that passed authentication on this path,
// also when another path is the one to send on. It may come before Transport.Keys are there, and is of no use then. Whoever
// takes it releases the packet.
type Received struct {
	From   *Transport
	Kind   demux.Kind // demux.RTP or demux.RTCP
	Packet netio.Packet
}
