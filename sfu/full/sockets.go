package full

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"github.com/pion/ice/v4"

	"github.com/turnout-rtc/turnout/sfu/link"
)

// Buffers of the sockets. The kernel gives what net.core.[rw]mem_max allows.
const (
	udpBuffer  = 4 << 20
	tcpBuffer  = 4 << 20 // bytes queued for one client; a slower one loses packets
	tcpPackets = 64      // received and not yet read, for one client
)

// portTries is how often another port is tried when the system chose one that is taken on another address.
const portTries = 16

// udpSockets is one port on every address. A socket of its own for each address, because an answer must leave from the
// address that the question came to.
type udpSockets struct {
	mux   *ice.MultiUDPMuxDefault
	addrs []netip.AddrPort
}

func listenUDP(address string, logs logFactory) (*udpSockets, error) {
	hosts, port, err := resolve("udp", address)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		conns, err := bindUDP(hosts, port)
		if err == nil {
			return newUDPSockets(conns, logs), nil
		}
		if port != 0 || try == portTries || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
}

// bindUDP opens a socket on every host, all with the same port. An address that is not (yet) usable is left out, unless it is
// the only one.
func bindUDP(hosts []netip.Addr, port uint16) ([]*net.UDPConn, error) {
	var conns []*net.UDPConn
	var last error
	for _, host := range hosts {
		conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, port)))
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			last = err
			continue
		}
		if err != nil {
			for _, c := range conns {
				err = errors.Join(err, c.Close())
			}
			return nil, fmt.Errorf("media: %w", err)
		}
		port = localAddr(conn.LocalAddr()).Port()
		conns = append(conns, conn)
	}
	if len(conns) == 0 {
		return nil, fmt.Errorf("media: %w", last)
	}
	return conns, nil
}

func newUDPSockets(conns []*net.UDPConn, logs logFactory) *udpSockets {
	s := &udpSockets{}
	muxes := make([]ice.UDPMux, 0, len(conns))
	for _, conn := range conns {
		// The kernel's limit counts; a smaller buffer is no error.
		_ = conn.SetReadBuffer(udpBuffer)
		_ = conn.SetWriteBuffer(udpBuffer)
		s.addrs = append(s.addrs, localAddr(conn.LocalAddr()))
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn, Logger: logs.NewLogger("ice")}))
	}
	s.mux = ice.NewMultiUDPMuxDefault(muxes...)
	return s
}

func (s *udpSockets) close() error { return s.mux.Close() }

// tcpSocket is the listener of ICE over TCP (RFC 6544).
type tcpSocket struct {
	mux   ice.TCPMux
	addrs []netip.AddrPort
}

func listenTCP(address string, logs logFactory) (*tcpSocket, error) {
	hosts, _, err := resolve("tcp", address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	s := &tcpSocket{mux: ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener:        l,
		Logger:          logs.NewLogger("ice"),
		ReadBufferSize:  tcpPackets,
		WriteBufferSize: tcpBuffer,
	})}
	for _, host := range hosts {
		s.addrs = append(s.addrs, netip.AddrPortFrom(host, localAddr(l.Addr()).Port()))
	}
	return s, nil
}

func (s *tcpSocket) close() error { return s.mux.Close() }

// advertise lists the addresses of answers: the public ones, or else all that the sockets are bound to.
func (h *Host) advertise(public []netip.Addr) []link.Address {
	var all []link.Address
	add := func(protocol string, bound []netip.AddrPort) {
		if len(public) == 0 {
			for _, a := range bound {
				all = append(all, link.Address{Protocol: protocol, Addr: a})
			}
			return
		}
		for _, a := range public {
			all = append(all, link.Address{Protocol: protocol, Addr: netip.AddrPortFrom(a.Unmap(), bound[0].Port())})
		}
	}
	add("udp", h.udp.addrs)
	if h.tcp != nil {
		add("tcp", h.tcp.addrs)
	}
	return all
}

// resolve returns the local addresses that address means, and its port.
func resolve(network, address string) ([]netip.Addr, uint16, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, fmt.Errorf("media: %w", err)
	}
	port, err := net.LookupPort(network, service)
	if err != nil {
		return nil, 0, fmt.Errorf("media: address %s: %w", strconv.Quote(address), err)
	}
	if host == "" {
		host = "::"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil, 0, fmt.Errorf("media: address %s: the host must be an IP address", strconv.Quote(address))
	}
	if !addr.IsUnspecified() {
		return []netip.Addr{addr}, uint16(port), nil //nolint:gosec // LookupPort returns 0 to 65535
	}
	all, err := localAddresses(addr.Is4())
	return all, uint16(port), err //nolint:gosec // as above
}

// localAddresses lists the addresses of this machine: those others can reach first, loopback last. Link-local IPv6
// addresses are left out, a candidate cannot carry their zone.
func localAddresses(only4 bool) ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("media: addresses of this machine: %w", err)
	}
	var addrs []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		addr := prefix.Addr().Unmap()
		if addr.Is6() && (only4 || addr.IsLinkLocalUnicast()) {
			continue
		}
		addrs = append(addrs, addr)
	}
	rank := func(a netip.Addr) int {
		r := 0
		if a.IsLoopback() {
			r += 2
		}
		if a.Is6() {
			r++
		}
		return r
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	if len(addrs) == 0 {
		return nil, errors.New("media: this machine has no IP address")
	}
	return addrs, nil
}

// localAddr of a socket.
func localAddr(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		panic(err) // the net package printed it
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
