package sctp

import (
	"encoding/binary"
	"hash/crc32"
)

// Types of chunks: RFC 9260 §3.2, RFC 6525 §3.1, RFC 3758 §3.2.
const (
	typeData             = 0
	typeInit             = 1
	typeInitAck          = 2
	typeSack             = 3
	typeHeartbeat        = 4
	typeHeartbeatAck     = 5
	typeAbort            = 6
	typeShutdown         = 7
	typeShutdownAck      = 8
	typeError            = 9
	typeCookieEcho       = 10
	typeCookieAck        = 11
	typeShutdownComplete = 14
	typeReconfig         = 130
	typeForward          = 192
)

// Flags of DATA (RFC 9260 §3.3.1), and the one of ABORT and SHUTDOWN COMPLETE that says whose tag it has.
const (
	flagEnd       = 1
	flagBegin     = 2
	flagUnordered = 4
	flagNow       = 8
	flagReflected = 1
)

// Lengths in bytes.
const (
	packetHeader = 12
	chunkHeader  = 4
	dataHeader   = 16 // with chunkHeader
	sackHeader   = 16 // the same
	paramHeader  = 4
)

// tsn is a transmission sequence number, modulo 2³².
type tsn uint32

// before says whether a is less than b in serial arithmetic (RFC 1982).
func (a tsn) before(b tsn) bool { return int32(a-b) < 0 }

// earlier is before for stream sequence numbers.
func earlier(a, b uint16) bool { return int16(a-b) < 0 }

func padded(n int) int { return (n + 3) &^ 3 }

// checksum is CRC32c (RFC 9260 appendix A) with the field itself as zero.
func checksum(packet []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // the same one each time
	sum := ^crc32.Update(0, table, packet[:8])
	for range 4 { // a zero byte each, since an array of them would be allocated
		sum = table[byte(sum)] ^ sum>>8
	}
	return crc32.Update(^sum, table, packet[packetHeader:])
}

// header of a packet.
type header struct {
	from, to uint16 // ports
	tag      uint32
}

// open checks a packet and returns its header and chunks.
func open(packet []byte) (header, []byte, bool) {
	if len(packet) < packetHeader+chunkHeader || binary.LittleEndian.Uint32(packet[8:]) != checksum(packet) {
		return header{}, nil, false
	}
	return header{
		from: binary.BigEndian.Uint16(packet),
		to:   binary.BigEndian.Uint16(packet[2:]),
		tag:  binary.BigEndian.Uint32(packet[4:]),
	}, packet[packetHeader:], true
}

// item is a chunk or a parameter: both are a type, a length and a value.
type item struct {
	kind  uint16 // of a chunk: its type
	flags uint8  // of a chunk
	value []byte
	whole []byte // with its header, without padding
}

// nextChunk cuts the first chunk off. The last one's padding may be missing.
func nextChunk(b []byte) (c item, rest []byte, ok bool) {
	if len(b) < chunkHeader {
		return item{}, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < chunkHeader || n > len(b) {
		return item{}, nil, false
	}
	return item{kind: uint16(b[0]), flags: b[1], value: b[chunkHeader:n], whole: b[:n]}, b[min(padded(n), len(b)):], true
}

// nextParam cuts the first parameter off.
func nextParam(b []byte) (p item, rest []byte, ok bool) {
	if len(b) < paramHeader {
		return item{}, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < paramHeader || n > len(b) {
		return item{}, nil, false
	}
	return item{kind: binary.BigEndian.Uint16(b), value: b[paramHeader:n], whole: b[:n]}, b[min(padded(n), len(b)):], true
}

// appendParam appends a parameter with its padding.
func appendParam(b []byte, kind uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(paramHeader+len(value)))
	b = append(b, value...)
	return pad(b, len(value))
}

// appendChunk appends a chunk with its padding.
func appendChunk(b []byte, kind, flags uint8, value []byte) []byte {
	b = append(b, kind, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(chunkHeader+len(value)))
	b = append(b, value...)
	return pad(b, len(value))
}

// pad appends what is missing to a multiple of 4 after n bytes.
func pad(b []byte, n int) []byte {
	for range padded(n) - n {
		b = append(b, 0)
	}
	return b
}

// writer fills a packet.
type writer struct {
	b   []byte
	max int
}

// begin starts a packet of at most limit bytes in buf.
func begin(buf []byte, limit int, h header) writer {
	b := buf[:packetHeader]
	binary.BigEndian.PutUint16(b, h.from)
	binary.BigEndian.PutUint16(b[2:], h.to)
	binary.BigEndian.PutUint32(b[4:], h.tag)
	binary.LittleEndian.PutUint32(b[8:], 0)
	return writer{b: b, max: limit &^ 3} // chunks are padded
}

// room is how many bytes of chunks, with their headers and padding, still fit.
func (w *writer) room() int { return w.max - len(w.b) }

func (w *writer) empty() bool { return len(w.b) == packetHeader }

// chunk begins a chunk whose value will have n bytes, which the caller fills in.
func (w *writer) chunk(kind, flags uint8, n int) []byte {
	at := len(w.b)
	w.b = w.b[:at+chunkHeader+padded(n)]
	w.b[at], w.b[at+1] = kind, flags
	binary.BigEndian.PutUint16(w.b[at+2:], uint16(chunkHeader+n))
	clear(w.b[at+chunkHeader+n:])
	return w.b[at+chunkHeader : at+chunkHeader+n]
}

// finish returns the length of the packet, 0 if there is nothing in it.
func (w *writer) finish() int {
	if w.empty() {
		return 0
	}
	binary.LittleEndian.PutUint32(w.b[8:], crc32.Checksum(w.b, crc32.MakeTable(crc32.Castagnoli)))
	return len(w.b)
}
