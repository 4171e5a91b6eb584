package turn

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/turnout-rtc/turnout/turn/frame"
)

// Sizes of kernel buffers, in bytes. The kernel may grant less; a burst that does not fit is lost.
const (
	listenBuffer = 4 << 20
	relayBuffer  = 1 << 20
)

// errorPause keeps a lasting error of a socket from spinning.
const errorPause = 10 * time.Millisecond

var errNotSent = errors.New("the socket did not take the datagram")

// udpConn is a *net.UDPConn, or somebody's share of one.
type udpConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	Close() error
}

// udpTransport is a UDP socket, portable to every system.
type udpTransport struct{ conn udpConn }

func (t *udpTransport) read(p []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := t.conn.ReadFromUDPAddrPort(p)
		if err == nil {
			return n, canonical(from), nil
		}
		if errors.Is(err, net.ErrClosed) {
			return 0, netip.AddrPort{}, err
		}
		time.Sleep(errorPause)
	}
}

func (t *udpTransport) write(b []byte, to netip.AddrPort) error {
	_, err := t.conn.WriteToUDPAddrPort(b, to)
	return err
}

func (t *udpTransport) hold(bool)    {}
func (t *udpTransport) close() error { return t.conn.Close() }

// udpOutlet is a relay's socket, portable to every system.
type udpOutlet struct{ conn *net.UDPConn }

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

func (o udpOutlet) send(b []byte, to netip.AddrPort) error {
	_, err := o.conn.WriteToUDPAddrPort(b, to)
	return err
}

func (o udpOutlet) pump(r *relay) {
	buf := make([]byte, relayBuf)
	for {
		n, src, err := o.conn.ReadFromUDPAddrPort(buf[frame.Headroom : frame.Headroom+relayMTU])
		switch {
		case err == nil:
			r.receive(buf, n, canonical(src))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(errorPause)
		}
	}
}

func (o udpOutlet) close() error { return o.conn.Close() }

// udpNetwork names the family, so that no socket is dual-stack and speaks from the wrong address.
func udpNetwork(ip netip.Addr) string {
	if ip.Is4() {
		return "udp4"
	}
	return "udp6"
}
