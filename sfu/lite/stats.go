package lite

import (
	"sync"
	"sync/atomic"

	"github.com/turnout-rtc/turnout/sfu/netio"
)

// Stats of a Server since it was opened.
type Stats struct {
	Transports int               // now
	TCPConns   int               // now
	Dropped    map[string]uint64 // datagrams and connections by reason, those of UDP sockets, "udp_" before netio's, with them
}

// Reasons of Stats.Dropped.
const (
	DropNoise        = "noise"         // neither STUN, DTLS nor RTP, nor for anybody else
	DropStranger     = "stranger"      // from an address that no authenticated check came from
	DropUnknownUfrag = "unknown_ufrag" // a check for no transport we have
	DropBadCheck     = "bad_check"     // a check that is malformed or not authentic
	DropPathTaken    = "path_taken"    // a check from an address that is another's, who is alive
	DropControlFull  = "control_full"  // of a DTLS handshake: it is not read fast enough
	DropBadRecord    = "bad_record"    // of DTLS: malformed or not authentic
	DropReplayed     = "replayed"      // of DTLS: received before, or much too late
	DropBadChannel   = "bad_channel"   // data channel messages: not of an open channel, or a request to open one that is malformed
	DropNoPath       = "no_path"       // DTLS to be sent without the peer's consent
	DropTCPFull      = "tcp_full"      // to be sent over TCP: the peer does not take it fast enough
	DropTCPLimit     = "tcp_limit"     // connections refused
	DropChannelLimit = "channel_limit" // data channels refused
	DropMessageLimit = "message_limit" // data channel messages longer than was agreed on; they end their association
	DropStreamLimit  = "stream_limit"  // data on one stream of SCTP too many
	DropBadPacket    = "bad_packet"    // of SCTP: malformed, or of no association
	DropReceiveFull  = "receive_full"  // pieces of messages: what has arrived is not dealt with fast enough; they are sent again
	DropSendFull     = "send_full"     // messages that were not sent: the peer does not acknowledge fast enough
	DropAddressLimit = "address_limit" // addresses of this machine that are not listened on
	DropForeignFull  = "foreign_full"  // for who takes the foreign datagrams: they are not read fast enough
)

type counters struct {
	noise, stranger, unknownUfrag, badCheck, pathTaken   atomic.Uint64
	controlFull, noPath, tcpFull, tcpLimit, channelLimit atomic.Uint64
	foreignFull, addressLimit                            atomic.Uint64
	badRecord, replayed, badChannel, badPacket           atomic.Uint64
	messageLimit, streamLimit, receiveFull, sendFull     atomic.Uint64

	closed tally
}

// Stats may be called from any goroutine.
func (s *Server) Stats() Stats {
	s.mu.RLock()
	n := len(s.transports)
	s.mu.RUnlock()
	c := &s.count
	dropped := map[string]uint64{
		DropNoise: c.noise.Load(), DropStranger: c.stranger.Load(), DropUnknownUfrag: c.unknownUfrag.Load(),
		DropBadCheck: c.badCheck.Load(), DropPathTaken: c.pathTaken.Load(), DropControlFull: c.controlFull.Load(),
		DropNoPath: c.noPath.Load(), DropTCPFull: c.tcpFull.Load(), DropTCPLimit: c.tcpLimit.Load(),
		DropChannelLimit: c.channelLimit.Load(), DropForeignFull: c.foreignFull.Load(),
		DropAddressLimit: c.addressLimit.Load(), DropBadRecord: c.badRecord.Load(), DropReplayed: c.replayed.Load(),
		DropBadChannel: c.badChannel.Load(), DropBadPacket: c.badPacket.Load(), DropMessageLimit: c.messageLimit.Load(),
		DropStreamLimit: c.streamLimit.Load(), DropReceiveFull: c.receiveFull.Load(), DropSendFull: c.sendFull.Load(),
	}
	s.count.closed.into(dropped)
	for _, p := range s.all() {
		addDropped(dropped, p.sock)
	}
	return Stats{Transports: n, TCPConns: s.streams.len(), Dropped: dropped}
}

// Batching is what the UDP sockets can do at a time, one line with what is missing, and how many of them use GSO now.
func (s *Server) Batching() (what string, gso int) {
	for _, p := range s.all() {
		if what == "" {
			what = p.sock.Capabilities().String()
		}
		if p.sock.Stats().GSO {
			gso++
		}
	}
	return what, gso
}

// tally is what sockets dropped that are closed.
type tally struct {
	mu  sync.Mutex
	all map[string]uint64 // guarded by mu
}

func (t *tally) into(all map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for reason, n := range t.all {
		all[reason] += n
	}
}

// shut keeps what a socket dropped that is closed now.
func (c *counters) shut(sock *netio.Socket) {
	c.closed.mu.Lock()
	defer c.closed.mu.Unlock()
	if c.closed.all == nil {
		c.closed.all = map[string]uint64{}
	}
	addDropped(c.closed.all, sock)
}

func addDropped(all map[string]uint64, sock *netio.Socket) {
	for reason, n := range sock.Stats().Dropped {
		all["udp_"+reason] += n
	}
}
