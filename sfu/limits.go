package sfu

import (
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite"
	"github.com/turnout-rtc/turnout/sfu/native"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// Sockets is how media's UDP sockets work. The zero value of a field means its default.
type Sockets struct {
	PerAddress  int           `yaml:"per_address" default:"0" help:"UDP sockets per address, each with a reader (Linux); 0 is one per processor, up to 8."`
	ReadBuffer  int           `yaml:"read_buffer" default:"4194304" help:"Bytes that the kernel keeps of what arrives on a socket; it may grant less."`
	WriteBuffer int           `yaml:"write_buffer" default:"4194304" help:"Bytes that the kernel keeps of what is to be sent on a socket; it may grant less."`
	WriteWait   time.Duration `yaml:"write_wait" default:"10ms" help:"How long sending waits for a full kernel buffer before it drops."`
	Portable    bool          `yaml:"portable" help:"One packet per system call, as on systems other than Linux."`
}

// Limits of what reaches the transports, before it is media. The zero value of a field means its default.
type Limits struct {
	Handshake          time.Duration `yaml:"handshake_timeout" default:"30s" help:"Time a participant has for the DTLS handshake."`
	Control            int           `yaml:"control_queue" default:"256" help:"Datagrams of the DTLS handshake of one participant that wait to be read."`
	Channels           int           `yaml:"channels" default:"16" help:"Data channels of one participant."`
	Message            int           `yaml:"message_bytes" default:"65536" help:"Size of the largest data channel message received."`
	ReceiveBuffer      int           `yaml:"receive_buffer" default:"1048576" help:"Bytes of data channel messages from one participant that wait to be dealt with; it is held back then."`
	SendBuffer         int           `yaml:"send_buffer" default:"4194304" help:"Bytes of data channel messages to one participant that wait to be sent or acknowledged; more are refused."`
	Paths              int           `yaml:"paths" default:"16" help:"Addresses at a time that packets of one participant are taken from."`
	Candidates         int           `yaml:"candidates" default:"32" help:"ICE candidates of one participant that are checked, with rtc.ice full."`
	TCPConnections     int           `yaml:"tcp_connections" default:"4096" help:"ICE-TCP connections in total."`
	TCPUnauthenticated int           `yaml:"tcp_unauthenticated" default:"256" help:"Of them, those that no participant has authenticated on yet."`
	TCPTimeout         time.Duration `yaml:"tcp_timeout" default:"10s" help:"Time an ICE-TCP connection has to authenticate."`
	TCPBuffer          int           `yaml:"tcp_buffer" default:"262144" help:"Bytes that wait to be sent on an ICE-TCP connection before the oldest are dropped."`
	TCPPerParticipant  int           `yaml:"tcp_per_participant" default:"4" help:"ICE-TCP connections of one participant."`
	Foreign            int           `yaml:"foreign_queue" default:"512" help:"Datagrams that wait for TURN, per socket, where it shares media's UDP port."`
	Addresses          int           `yaml:"addresses" default:"32" help:"Addresses of this machine that are listened on, where rtc.udp is an unspecified one."`
}

// maxSockets is more per address than any machine has use for.
const maxSockets = 64

func (s Sockets) validate() error {
	if s.PerAddress > maxSockets {
		return fmt.Errorf("sockets.per_address is %d: it must be at most %d", s.PerAddress, maxSockets)
	}
	return notNegative("sockets.", []setting{
		{"per_address", int64(s.PerAddress)}, {"read_buffer", int64(s.ReadBuffer)}, {"write_buffer", int64(s.WriteBuffer)},
		{"write_wait", int64(s.WriteWait)},
	})
}

func (l Limits) validate() error {
	return notNegative("limits.", []setting{
		{"handshake_timeout", int64(l.Handshake)}, {"control_queue", int64(l.Control)}, {"channels", int64(l.Channels)},
		{"message_bytes", int64(l.Message)}, {"receive_buffer", int64(l.ReceiveBuffer)}, {"send_buffer", int64(l.SendBuffer)}, {"paths", int64(l.Paths)}, {"candidates", int64(l.Candidates)},
		{"tcp_connections", int64(l.TCPConnections)}, {"tcp_unauthenticated", int64(l.TCPUnauthenticated)},
		{"tcp_timeout", int64(l.TCPTimeout)}, {"tcp_buffer", int64(l.TCPBuffer)}, {"tcp_per_participant", int64(l.TCPPerParticipant)},
		{"foreign_queue", int64(l.Foreign)}, {"addresses", int64(l.Addresses)},
	})
}

// setting is a key with its value.
type setting struct {
	key   string
	value int64
}

func notNegative(prefix string, all []setting) error {
	for _, l := range all {
		if l.value < 0 {
			return fmt.Errorf("%s%s is %d: it must not be negative, leave it out for the default", prefix, l.key, l.value)
		}
	}
	return nil
}

// transport puts limits and sockets into the configuration of the transport.
func (c Config) transport(to *native.Config) {
	l, s := c.Limits, c.Sockets
	to.Limits = lite.Limits{
		Handshake: l.Handshake, Control: l.Control, Channels: l.Channels, Message: l.Message, Receive: l.ReceiveBuffer, Send: l.SendBuffer, Candidates: l.Candidates,
		TCPConns: l.TCPConnections, TCPStrange: l.TCPUnauthenticated, TCPIdle: l.TCPTimeout, TCPBuffer: l.TCPBuffer,
		TCPPerOwner: l.TCPPerParticipant, Foreign: l.Foreign, Addresses: l.Addresses,
	}
	to.Paths = demux.Limits{Paths: l.Paths}
	to.Net = netio.Config{Sockets: s.PerAddress, ReadBuffer: s.ReadBuffer, WriteBuffer: s.WriteBuffer, WriteWait: s.WriteWait, Burst: c.GSOBurst}
	if s.Portable {
		to.Net.Mode = netio.Portable
	}
}
