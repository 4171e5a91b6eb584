package sfu

import (
	"net"
	"net/netip"
)

// Option of New, for what is not configured but known to who puts the planes together.
type Option func(*extras)

// extras are what options say.
type extras struct{ tcp []netip.AddrPort }

// WithTCP says that somebody listens on an address, such as one of HTTPS, and hands ICE-TCP connections to AdoptTCP: it is
// advertised, with Config.Public if there is one. An unspecified address is every one of this machine.
func WithTCP(listen netip.AddrPort) Option {
	return func(e *extras) { e.tcp = append(e.tcp, listen) }
}

// Foreign has adopt take what arrives on media's UDP sockets and is not media's but a STUN and TURN server's (RFC 7983): STUN
// that is no connectivity check, and ChannelData. Each socket's share is a connection of its own, with the socket's address
// and *net.UDPAddr for remote ones, and with the ReadFromUDPAddrPort and WriteToUDPAddrPort of a *net.UDPConn; what is written
// leaves from the socket. Datagrams wait in a bounded queue and are dropped when it is full; deadlines are not supported. It
// is closed by who adopts it, or with the engine.
//
// To be called once. Nothing is taken from media's sockets before, and an error of adopt ends it.
func (e *Engine) Foreign(adopt func(net.PacketConn) error) error { return e.host.Foreign(adopt) }

// AdoptTCP serves an ICE-TCP connection (RFC 6544) that somebody else has accepted, such as one of a port that media shares
// with HTTPS. What was read of it must be read from c once more; its remote address must be a *net.TCPAddr. The engine owns c
// from now on, also when it returns an error. It returns at once.
func (e *Engine) AdoptTCP(c net.Conn) error { return e.host.AdoptTCP(c) }
