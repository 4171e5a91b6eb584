// Package sctp is the SCTP under data channels (RFC 9260, with RFC 3758, 6525 and 8831): the end that is connected to. It does
// no I/O, starts no goroutine and never reads the clock: packets and the time go in, packets and events come out.
//
// An Association is one connection. Its caller hands it every packet (Receive), then drains it: Next until there is no event,
// Poll until there is no packet, and Due says when to Poll again though nothing has happened. Calls of one Association are not
// concurrent; a Memory may be shared by all associations of a server.
//
// What it leaves to others: DTLS encrypts and authenticates below it, ICE says whether the peer is there (so it sends no
// heartbeats of its own, and is patient), and what the bytes of a message mean is told by package dcep and above. It has one path
// and never connects: browsers do (RFC 8831 §6.2 lets both, but one is enough). Messages are not interleaved (RFC 8260).
package sctp
