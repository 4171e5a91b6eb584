// Package lite is a light media transport: ICE, DTLS, SRTP keys and data channels over sockets shared by everyone, without a
// PeerConnection. An idle peer has no goroutine, and costs a few KiB.
//
// A server that its clients can reach needs ICE-lite: it only answers. One behind a NAT (Config.Full) also asks: it sends
// connectivity checks, and has STUN servers tell how the NAT shows it. All else is the same.
//
// Its nouns: a Server owns the sockets and knows whose a datagram is. A Transport is the server's end of one
// RTCPeerConnection. A Path is where to send to it; an Outlet is a goroutine's way there. A Channel is a data channel that
// the client opened.
//
// DTLS begins with a handshake of pion's, over a queue. When it is finished its secrets are taken over, and pion's end is
// closed without a word: from then on a connection opens and seals records itself (package record), with SCTP (package sctp)
// in them. What arrives is dealt with where it was read, and so is the answer to it; what channels send, and what time asks
// for, is sent by the pump, for all transports together.
//
// It does nothing to media itself: SRTP and SRTCP of known peers go to Config.Media as they arrived, in batches, and what is
// to be sent is encrypted by the caller, with the Keys, into an Outlet for the Path. This is all that a media plane needs
// to know of a transport, whichever way it is made:
//
//	type Transport interface {
//		Answer(offer string) (sdp string, agreed *answer.Description, err error)
//		Keys() (srtpkeys.Keys, bool)
//		Path() (Path, bool)
//		State() State
//		Close()
//	}
//
// What happens by itself is told by events: the state has changed, a data channel was opened or closed. Keys and Path are
// read when needed; they cost an atomic load.
//
// Its ports can be shared: Foreign hands out the datagrams that are a STUN and TURN server's, AdoptTCP takes ICE-TCP
// connections that somebody else has accepted.
//
// Goroutines: one reader per UDP socket, one clock and one pump for all transports; one that follows the machine's addresses
// where an unspecified one is listened on; with Config.Full one that sends checks and one that looks up STUN servers. One
// reader and one writer per TCP connection. One per handshake, with three of pion's. One per channel while messages wait for
// its handler. Server.Close waits for them.
package lite
