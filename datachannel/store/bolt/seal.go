package bolt

import (
	"encoding/binary"
	"hash/crc32"
)

// A seal stands behind the last batch and says that it was on disk as a whole, so that what is wrong with it later is damage. It is: magic
// (4 bytes), CRC32C of what follows (4), generation (8), batch (8). It is written without an fsync of its own, for the next batch takes
// its place; a power cut may lose it, and then the last batch is judged without.
const (
	sealMagic = 0x746a7331 // "tjs1"
	sealBytes = 24
)

func appendSeal(b []byte, generation, batch uint64) []byte {
	var body [16]byte
	binary.BigEndian.PutUint64(body[:], generation)
	binary.BigEndian.PutUint64(body[8:], batch)
	b = binary.BigEndian.AppendUint32(b, sealMagic)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(body[:], castagnoli()))
	return append(b, body[:]...)
}

// findSeal is where the seal of a generation is; there is at most one.
func findSeal(b []byte, from int, generation uint64) (at int, ok bool) {
	for o := from; o+sealBytes <= len(b); o += alignment {
		s := b[o : o+sealBytes]
		if binary.BigEndian.Uint32(s) == sealMagic && binary.BigEndian.Uint64(s[8:]) == generation &&
			crc32.Checksum(s[8:], castagnoli()) == binary.BigEndian.Uint32(s[4:]) {
			return o, true
		}
	}
	return 0, false
}
