package turn

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// Sizes of kernel buffers, in bytes. The kernel may grant less; a burst that does not fit is lost.
const (
	listenBuffer = 4 << 20
	relayBuffer  = 1 << 20
)

// udpTransport is a UDP socket, portable to every system.
type udpTransport struct{ conn *net.UDPConn }

func listenUDP(addr netip.AddrPort) (*udpTransport, error) {
	conn, err := net.ListenUDP(udpNetwork(addr.Addr()), net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(listenBuffer)
	_ = conn.SetWriteBuffer(listenBuffer)
	return &udpTransport{conn}, nil
}

func openRelay(ip netip.Addr, port int) (*net.UDPConn, error) {
	addr := netip.AddrPortFrom(ip, uint16(port)) //nolint:gosec // a port
	conn, err := net.ListenUDP(udpNetwork(ip), net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(relayBuffer)
	_ = conn.SetWriteBuffer(relayBuffer)
	return conn, nil
}

// udpNetwork names the family, so that no socket is dual-stack and speaks from the wrong address.
func udpNetwork(ip netip.Addr) string {
	if ip.Is4() {
		return "udp4"
	}
	return "udp6"
}

func (t *udpTransport) read(p []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := t.conn.ReadFromUDPAddrPort(p)
		if err == nil {
			return n, canonical(from), nil
		}
		if errors.Is(err, net.ErrClosed) {
			return 0, netip.AddrPort{}, err
		}
		time.Sleep(errorPause) // a lasting error must not spin
	}
}

func (t *udpTransport) write(b []byte, to netip.AddrPort) error {
	_, err := t.conn.WriteToUDPAddrPort(b, to)
	return err
}

func (t *udpTransport) stream() bool    { return false }
func (t *udpTransport) local() net.Addr { return t.conn.LocalAddr() }
func (t *udpTransport) close() error    { return t.conn.Close() }
