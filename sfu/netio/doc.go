// Package netio moves UDP datagrams between the kernel and the media plane, many per system call.
//
// Its nouns: a Socket is one UDP socket with one reader; Open makes several on one port (SO_REUSEPORT), and the kernel keeps
// a remote address on the same one. A Packet is one received datagram; it lies in a shared slab with Headroom bytes free in
// front of it and lives until its Release. A Writer is one goroutine's way out of a Socket: Slot, Commit, Flush.
//
// On Linux it uses recvmmsg with UDP_GRO and sendmmsg with UDP_SEGMENT (GSO), as far as the kernel has them; Capabilities
// says what was found. Elsewhere, or where it is asked to, it uses one system call per datagram with the same behaviour.
// Waiting is the runtime poller's work: no thread blocks in a system call.
//
// The package does not know what is in a datagram, and starts no goroutine.
package netio
