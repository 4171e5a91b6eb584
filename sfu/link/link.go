// Package link is what the media plane and the transport under it say to each other. Package native implements it, with RTP of
// our own on sfu/lite.
//
// Its nouns: a Host owns the sockets of one server and makes Peers. A Peer is the server's end of one RTCPeerConnection. A
// Sender is one slot's outgoing RTP stream, a Track one incoming stream, a Channel a data channel. An Outlet is how one
// goroutine sends to many peers at once.
package link

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/turnout-rtc/turnout/sfu/delivery"
	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/netio"
	"github.com/turnout-rtc/turnout/sfu/packet"
	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// MTU is the size of the largest RTP packet that is forwarded.
const MTU = 1600

// Errors of Peer and Sender.
var (
	ErrOffer      = errors.New("the offer cannot be applied") // the fault is the offer's
	ErrNotSending = errors.New("the peer cannot be sent to")  // not negotiated, not connected, or without consent
)

// Address is one address under which a host can be reached.
type Address struct {
	Protocol string // "udp" or "tcp"
	Addr     netip.AddrPort
}

// Codec of a stream, as negotiated.
type Codec struct {
	Mime      string
	Fmtp      string
	ClockRate uint32
}

// Slot is a recvonly m-line of an offer that no sender has yet.
type Slot struct {
	MID   string
	ID    string
	Video bool
}

// Stream is what an incoming stream is: a layer, when its m-line is simulcast.
type Stream struct {
	MID          string
	RID          string // "" without simulcast
	Video        bool
	DescriptorID uint8 // header extension of its packets, 0 for none
	Extensions   forward.ExtensionIDs
}

// Host makes peers.
type Host interface {
	// Advertised lists the addresses that answers contain, best first.
	Advertised() []Address
	NewPeer(on Handlers) (Peer, error)
	Share
	// ICE is "lite" or "full", and why.
	ICE() (mode, because string)
	// Batching says what the UDP sockets can do at a time, and how many of them join datagrams for the kernel to cut (GSO).
	Batching() (what string, gso int)
	// Dropped adds what the host itself dropped, by reason, to all.
	Dropped(all map[string]uint64)
	// Close closes the sockets. It may be called twice. Peers must be closed before.
	Close() error
}

// Share is what a host's ports have in common with others.
type Share interface {
	// Foreign has adopt take what arrives on the UDP sockets for a STUN and TURN server, each socket's as a connection.
	Foreign(adopt func(net.PacketConn) error) error
	// AdoptTCP serves an ICE-TCP connection that somebody else has accepted. It owns c, also when it returns an error.
	AdoptTCP(c net.Conn) error
}

// Handlers of a peer are called from goroutines of its own. They must not wait for it.
type Handlers struct {
	State         func(state string) // of the connection, as RTCPeerConnectionState
	Track         func(Track)        // a stream has begun
	Channel       func(Channel)      // a data channel is open
	ChannelClosed func(Channel)
	Delivery      func(delivery.Report) // the peer has told how what was sent to it arrived; nil for not told
}

// Peer is the server's end of one RTCPeerConnection. Its methods are called by one goroutine.
type Peer interface {
	// Answer applies an offer and returns the answer, with all candidates, and a sender for each of slots, in their order.
	// After an error the peer cannot be used any more.
	Answer(ctx context.Context, offer string, slots []Slot) (string, []Sender, error)
	// Again is the last answer once more.
	Again() string
	AddCandidate(candidate, mid string, line uint16, ufrag string) error
	// Close ends the connection and waits for its goroutines. It must not be called from a handler.
	Close() error
}

// Sender is one slot's outgoing stream. It has one SSRC for ever, and one more for retransmissions. Its methods may be called
// from any goroutine.
type Sender interface {
	// PayloadTypes returns the receiver's for a codec and its retransmissions, 0 where it has none.
	PayloadTypes(c Codec) (media, rtx uint8, ok bool)
	// Send sends packets in a row and returns how many were sent.
	Send(run []forward.Out, via *Outlet) (sent int)
	SendRTX(o *forward.Out, via *Outlet) error
	// Listen has the receiver's feedback told to f, until the peer is closed. To be called once.
	Listen(f Feedback)
}

// Feedback of a receiver. Its methods are called by one goroutine at a time.
type Feedback interface {
	Nacked(now time.Time, seqs []uint16) // keeps none of seqs
	PictureLost()
}

// Track is one incoming stream.
type Track interface {
	Stream() Stream
	// Start has the packets of the stream given to s. To be called once.
	Start(s Sink)
	// Codec of a packet handed to the sink, by its payload type; the zero Codec if that was not negotiated. To be called from
	// within Packets.
	Codec(payloadType uint8) Codec
	// RequestAgain asks for lost packets, via the outlet that Packets was called with. It returns the time to the publisher and
	// back, 0 for unknown.
	RequestAgain(lost []receive.Pair, via *Outlet) (roundTrip time.Duration, err error)
	RequestKeyFrame() error
}

// Packet is an RTP packet that does not change any more, and the memory that it lies in.
type Packet struct {
	Data   []byte
	Memory packet.Memory
}

// Sink takes the packets of a stream.
type Sink interface {
	// Packets takes RTP packets in the order in which they came, not encrypted; retransmissions look like the original. Who
	// keeps one retains its memory.
	Packets(now time.Time, packets []Packet, via *Outlet)
	// SenderReport takes the times of a sender report of the stream, the first by our clock: for streams of one publisher it
	// is off by the same. It may be called at any time.
	SenderReport(ntp report.NTP, rtp uint32)
	Ended()
}

// Channel is a data channel that the client opened. Its methods may be called from any goroutine.
type Channel interface {
	io.Closer
	Label() string
	Send(b []byte) error
	BufferedAmount() uint64
	OnMessage(f func(b []byte))
	OnDrain(threshold uint64, f func())
}

// Outlet collects what one goroutine sends, for as few system calls as possible. The zero value works. A nil Outlet is for
// transports that send at once.
type Outlet struct {
	Now time.Time // when what is being sent was received

	writers []*netio.Writer // by number of the socket; made when first needed
	Scratch [2 * MTU]byte   // for whoever is sending
}

// Writer of a socket that has a number.
func (o *Outlet) Writer(number int, sock *netio.Socket) *netio.Writer {
	if missing := number + 1 - len(o.writers); missing > 0 {
		o.writers = append(o.writers, make([]*netio.Writer, missing)...)
	}
	w := o.writers[number]
	if w != nil && w.Socket() == sock {
		return w
	}
	if w != nil { // another socket has the number now
		_ = w.Flush()
	}
	w = sock.NewWriter()
	o.writers[number] = w
	return w
}

// Flush sends what was collected.
func (o *Outlet) Flush() {
	for _, w := range o.writers {
		if w != nil {
			_ = w.Flush() // what the kernel does not take is counted by the socket
		}
	}
}
