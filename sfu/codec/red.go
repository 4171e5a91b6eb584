package codec

import "encoding/binary"

// maxBlocks is how many blocks of an RED payload are read: encoders send one to four.
const maxBlocks = 8

// Redundancy is an RED payload (RFC 2198 §3): blocks of earlier packets, and the primary one of its own.
type Redundancy struct {
	blocks [maxBlocks]block
	count  int // redundant blocks, which stand before the primary one
	start  int // of the primary block's data
}

// block is a redundant one.
type block struct {
	offset     uint16 // how many ticks before the packet's timestamp, 14 bits
	start, end int
}

// Parts of a block header: F, block PT | timestamp offset (14), block length (10). The last one has F = 0 and nothing more.
const (
	redFollows    = 0x80
	redHeaderSize = 4
	redLastSize   = 1
)

// ReadRED reads an RED payload. ok is false for what is none.
func ReadRED(payload []byte) (r Redundancy, ok bool) {
	at := 0
	for {
		if at >= len(payload) {
			return Redundancy{}, false
		}
		if payload[at]&redFollows == 0 {
			break
		}
		if at+redHeaderSize > len(payload) || r.count == maxBlocks {
			return Redundancy{}, false
		}
		v := binary.BigEndian.Uint32(payload[at:])
		r.blocks[r.count] = block{offset: uint16(v >> 10 & 0x3fff), end: int(v & 0x3ff)}
		r.count++
		at += redHeaderSize
	}
	at += redLastSize
	for i := range r.blocks[:r.count] {
		b := &r.blocks[i]
		b.start, b.end = at, at+b.end
		at = b.end
	}
	r.start = at
	return r, at <= len(payload)
}

// Primary is the block of the packet's own time.
func (r *Redundancy) Primary(payload []byte) []byte { return payload[r.start:] }

// AppendRED appends payload to dst with another payload type for its blocks, and without the redundant blocks that lie more
// than so many ticks before the packet.
func AppendRED(dst, payload []byte, r *Redundancy, payloadType uint8, ticks uint32) []byte {
	for i := range r.blocks[:r.count] {
		if b := &r.blocks[i]; uint32(b.offset) <= ticks {
			dst = binary.BigEndian.AppendUint32(dst,
				uint32(redFollows|payloadType)<<24|uint32(b.offset)<<10|uint32(b.end-b.start))
		}
	}
	dst = append(dst, payloadType&^redFollows)
	for i := range r.blocks[:r.count] {
		if b := &r.blocks[i]; uint32(b.offset) <= ticks {
			dst = append(dst, payload[b.start:b.end]...)
		}
	}
	return append(dst, payload[r.start:]...)
}
