// Package log is the form of a room's durable log: records with a position, as bytes.
//
// A Position is an epoch and a sequence number. The sequence counts the records of one document. A new epoch begins when
// history was lost (a damaged disk, a restored backup): positions of another epoch say nothing. The offset alone would not
// do, because a reader that comes back after a loss would take new records for those it knows.
//
// The package does no I/O; package store keeps the bytes.
package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"
)

// Position is a place in a document's history. The zero value is before everything.
type Position struct {
	Epoch uint64
	Seq   uint64
}

// After says whether p is behind q in the same history.
func (p Position) After(q Position) bool { return p.Epoch == q.Epoch && p.Seq > q.Seq }

// NewEpoch is the number of a history that begins; at most 2^48, so that JavaScript can hold it.
func NewEpoch() uint64 { return 1 + rand.Uint64N(1<<48-1) }

// Kind says what the bytes of a record are.
type Kind uint8

// The kinds. Their numbers are on disk and never change.
const (
	Update   Kind = 1 // an update of a document
	Snapshot Kind = 2 // everything up to Seq in one
)

// Record is one entry of a log.
type Record struct {
	Seq     uint64
	Kind    Kind
	Subject string    // the identity it came from; "" for the server
	Time    time.Time // in milliseconds
	Data    []byte
}

// ErrDamaged is a record that is not as it was written.
var ErrDamaged = errors.New("damaged record")

// castagnoli is the polynomial of CRC32C (RFC 3720), which processors compute by themselves.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// version is the first byte of an encoded record.
const version = 1

// header is version, kind, seq and time.
const header = 1 + 1 + 8 + 8

// trailer is the checksum.
const trailer = 4

// Append writes r behind b: version, kind, seq, time, subject with its length, data, CRC32C of all before.
func Append(b []byte, r Record) []byte {
	start := len(b)
	b = append(b, version, byte(r.Kind))
	b = binary.BigEndian.AppendUint64(b, r.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(r.Subject)))
	b = append(b, r.Subject...)
	b = append(b, r.Data...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli()))
}

// Size is what Append adds at most.
func (r Record) Size() int {
	return header + binary.MaxVarintLen32 + len(r.Subject) + len(r.Data) + trailer
}

// Decode reads what Append wrote. Data aliases b. The error wraps ErrDamaged.
func Decode(b []byte) (Record, error) {
	if len(b) < header+1+trailer {
		return Record{}, fmt.Errorf("%w: %d bytes are too few", ErrDamaged, len(b))
	}
	end := len(b) - trailer
	if want, got := binary.BigEndian.Uint32(b[end:]), crc32.Checksum(b[:end], castagnoli()); want != got {
		return Record{}, fmt.Errorf("%w: its checksum is %08x, not %08x", ErrDamaged, got, want)
	}
	if b[0] != version {
		return Record{}, fmt.Errorf("%w: version %d is not known", ErrDamaged, b[0])
	}
	r := Record{
		Kind: Kind(b[1]),
		Seq:  binary.BigEndian.Uint64(b[2:]),
		Time: time.UnixMilli(int64(binary.BigEndian.Uint64(b[10:]))),
	}
	rest := b[header:end]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > uint64(len(rest)-n) {
		return Record{}, fmt.Errorf("%w: its subject is longer than the record", ErrDamaged)
	}
	r.Subject = string(rest[n : n+int(size)])
	r.Data = rest[n+int(size):]
	return r, nil
}
