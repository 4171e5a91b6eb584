package netio

import (
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// putAddr writes a into to, which has room for either family, and returns its size.
func putAddr(to *unix.RawSockaddrInet6, a netip.AddrPort) uint32 {
	port := (*[2]byte)(unsafe.Pointer(&to.Port)) // network byte order
	port[0], port[1] = byte(a.Port()>>8), byte(a.Port())
	if a.Addr().Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
		v4.Family, v4.Addr = unix.AF_INET, a.Addr().As4()
		return unix.SizeofSockaddrInet4
	}
	to.Family, to.Addr, to.Flowinfo, to.Scope_id = unix.AF_INET6, a.Addr().As16(), 0, 0
	if zone := a.Addr().Zone(); zone != "" { // link-local only
		id, _ := strconv.ParseUint(zone, 10, 32)
		to.Scope_id = uint32(id)
	}
	return unix.SizeofSockaddrInet6
}

// getAddr reads what the kernel wrote. The zone of a link-local address is the interface's number.
func getAddr(from *unix.RawSockaddrInet6) netip.AddrPort {
	p := (*[2]byte)(unsafe.Pointer(&from.Port))
	port := uint16(p[0])<<8 | uint16(p[1])
	if from.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(from)).Addr), port)
	}
	a := netip.AddrFrom16(from.Addr)
	if from.Scope_id != 0 && a.IsLinkLocalUnicast() {
		a = a.WithZone(strconv.FormatUint(uint64(from.Scope_id), 10))
	}
	return netip.AddrPortFrom(a, port)
}
