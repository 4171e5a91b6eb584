package bolt

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

// entry is a record as it goes through the journal into the file.
type entry struct {
	doc   string // name of its bucket
	epoch uint64
	seq   uint64
	body  []byte // package log's form, with its checksum
}

// entries are what writes bring, in bytes of their own.
func entries(writes []store.Write) []entry {
	size := 0
	for _, w := range writes {
		size += w.Record.Size()
	}
	b, batch := make([]byte, 0, size), make([]entry, 0, len(writes))
	for _, w := range writes {
		start := len(b)
		b = log.Append(b, w.Record)
		batch = append(batch, entry{string(docKey(w.Doc)), w.Epoch, w.Record.Seq, b[start:len(b):len(b)]})
	}
	return batch
}

// place says where in the journal a frame belongs.
type place struct {
	generation uint64 // of the journal; random, so that no journal is taken for that of a file restored from a backup
	batch      uint64 // one Append, counted from 0
	index      uint32 // in the batch
	count      uint32 // frames of the batch
}

// A frame is: magic (4 bytes), size of the document's name (4), size of the record (4), generation (8), batch (8), index (4), count
// (4), epoch (8), sequence number (8), CRC32C of all before and of the name (4), the name, the record, and zeroes to a multiple of
// alignment. Numbers are big-endian.
const (
	frameMagic  = 0x746a6c31 // "tjl1"
	frameHeader = 56
	alignment   = 8 // bytes; where frames may begin, so that one behind a damaged one is found
)

func align(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

func (e entry) frameSize() int { return align(frameHeader + len(e.doc) + len(e.body)) }

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func headerSum(header, name []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli()), castagnoli(), name)
}

// appendFrame writes e behind b, whose length is a multiple of alignment.
func appendFrame(b []byte, p place, e entry) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, frameMagic)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.doc)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.body)))
	b = binary.BigEndian.AppendUint64(b, p.generation)
	b = binary.BigEndian.AppendUint64(b, p.batch)
	b = binary.BigEndian.AppendUint32(b, p.index)
	b = binary.BigEndian.AppendUint32(b, p.count)
	b = binary.BigEndian.AppendUint64(b, e.epoch)
	b = binary.BigEndian.AppendUint64(b, e.seq)
	b = binary.BigEndian.AppendUint32(b, headerSum(b[start:], []byte(e.doc)))
	b = append(b, e.doc...)
	b = append(b, e.body...)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

// parseFrame reads the frame at the beginning of b. Its record is not looked at, and aliases b.
func parseFrame(b []byte) (p place, e entry, ok bool) {
	if len(b) < frameHeader || binary.BigEndian.Uint32(b) != frameMagic {
		return p, e, false
	}
	name, body := uint64(binary.BigEndian.Uint32(b[4:])), uint64(binary.BigEndian.Uint32(b[8:]))
	if uint64(frameHeader)+name+body > uint64(len(b)) {
		return p, e, false
	}
	doc, rest := b[frameHeader:frameHeader+name], b[frameHeader+name:]
	if headerSum(b[:frameHeader-4], doc) != binary.BigEndian.Uint32(b[frameHeader-4:]) {
		return p, e, false
	}
	p = place{
		generation: binary.BigEndian.Uint64(b[12:]), batch: binary.BigEndian.Uint64(b[20:]),
		index: binary.BigEndian.Uint32(b[28:]), count: binary.BigEndian.Uint32(b[32:]),
	}
	return p, entry{string(doc), binary.BigEndian.Uint64(b[36:]), binary.BigEndian.Uint64(b[44:]), rest[:body:body]}, true
}

// found is what a journal holds.
type found struct {
	entries []entry  // in order; a damaged one's body is as it is
	lost    [][]byte // parts in which nothing can be read
}

// scan reads a generation of a journal. A batch is written when the one before is on disk: what is wrong with the last one, unless it is
// sealed, is that the power was lost while it was written, so that nobody was told that it is stored, and it is left out. What is wrong
// before, or with a sealed one, is damage.
func scan(b []byte, generation uint64) found {
	var s scanner
	for o := 0; o < len(b); {
		p, e, ok := parseFrame(b[o:])
		if ok && p.generation == generation {
			s.frame(p, e)
			o += e.frameSize()
			s.end = o
			continue
		}
		next := nextFrame(b, o+alignment, generation)
		if next < 0 {
			break
		}
		p, _, _ = parseFrame(b[next:])
		s.gap(p, bytes.Clone(b[o:next]))
		o = next
	}
	end, sealed := findSeal(b, s.end, generation)
	if sealed && s.end < end {
		s.batch.lost = append(s.batch.lost, bytes.Clone(b[s.end:end]))
	}
	if sealed || len(s.batch.lost) == 0 && !s.torn && len(s.batch.entries) == int(s.at.count) {
		s.close()
	}
	return s.found
}

// scanner collects what is in a journal.
type scanner struct {
	found found
	batch found // the one that is being read
	torn  bool  // a record of batch is damaged
	begun bool
	at    place // of the newest frame
	end   int   // where that ends
}

func (s *scanner) frame(p place, e entry) {
	if s.begun && p.batch != s.at.batch {
		s.close()
	}
	_, err := log.Decode(e.body)
	s.torn = s.torn || err != nil
	s.batch.entries = append(s.batch.entries, e)
	s.at, s.begun = p, true
}

// gap takes what is before a frame at p and cannot be read. It is of p's batch, unless a batch before has no end.
func (s *scanner) gap(p place, b []byte) {
	switch {
	case !s.begun && p.batch == 0, s.begun && p.batch == s.at.batch:
	case s.begun && p.batch == s.at.batch+1 && s.at.index+1 == s.at.count:
		s.close()
		s.at = p
	default:
		s.found.lost = append(s.found.lost, b)
		return
	}
	s.batch.lost = append(s.batch.lost, b)
}

// close takes over a batch, whatever is wrong with it.
func (s *scanner) close() {
	s.found.entries = append(s.found.entries, s.batch.entries...)
	s.found.lost = append(s.found.lost, s.batch.lost...)
	s.batch, s.torn = found{}, false
}

// nextFrame is where the next frame of a generation begins, -1 if there is none.
func nextFrame(b []byte, from int, generation uint64) int {
	for o := from; o+frameHeader <= len(b); o += alignment {
		if binary.BigEndian.Uint32(b[o:]) != frameMagic {
			continue
		}
		if p, _, ok := parseFrame(b[o:]); ok && p.generation == generation {
			return o
		}
	}
	return -1
}
