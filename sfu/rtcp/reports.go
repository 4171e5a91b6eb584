package rtcp

import (
	"encoding/binary"

	"github.com/turnout-rtc/turnout/sfu/report"
)

const (
	senderSize = 20 // of what a sender report says of its sender
	blockSize  = 24

	// MaxBlocks is what a report holds: its count has 5 bits.
	MaxBlocks = 31
)

// Block is a reception report about one stream.
type Block struct {
	SSRC uint32
	report.Reception
}

// SenderReport reads a report's times and counts. ok is false when there are none.
func (p Packet) SenderReport() (r report.SenderReport, ok bool) {
	if p.Type != TypeSenderReport || len(p.body) < 4+senderSize {
		return r, false
	}
	b := p.body[4:]
	return report.SenderReport{
		NTP: report.NTP(binary.BigEndian.Uint64(b)), RTP: binary.BigEndian.Uint32(b[8:]),
		Packets: binary.BigEndian.Uint32(b[12:]), Bytes: binary.BigEndian.Uint32(b[16:]),
	}, true
}

// Block reads the reception report number i of a sender or receiver report. ok is false beyond the last one.
func (p Packet) Block(i int) (b Block, ok bool) {
	at := 4 + i*blockSize
	switch p.Type {
	case TypeSenderReport:
		at += senderSize
	case TypeReceiverReport:
	default:
		return Block{}, false
	}
	if i >= int(p.Count) || at+blockSize > len(p.body) {
		return Block{}, false
	}
	return Block{p.word(at), report.Reception{
		Fraction: p.body[at+4],
		Lost:     int32(p.word(at+4)<<8) >> 8, // 24 bits, with a sign
		Highest:  p.word(at + 8),
		Jitter:   p.word(at + 12),
		LSR:      p.word(at + 16),
		DLSR:     p.word(at + 20),
	}}, true
}

// AppendSenderReport appends a report without reception reports.
func AppendSenderReport(dst []byte, ssrc uint32, r report.SenderReport) []byte {
	start := len(dst)
	dst = begin(dst, 0, TypeSenderReport, ssrc)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.NTP))
	dst = binary.BigEndian.AppendUint32(dst, r.RTP)
	dst = binary.BigEndian.AppendUint32(dst, r.Packets)
	return end(binary.BigEndian.AppendUint32(dst, r.Bytes), start)
}

// AppendReceiverReport appends a report with at most MaxBlocks blocks.
func AppendReceiverReport(dst []byte, ssrc uint32, blocks []Block) []byte {
	blocks = blocks[:min(len(blocks), MaxBlocks)]
	start := len(dst)
	dst = begin(dst, uint8(len(blocks)), TypeReceiverReport, ssrc)
	for _, b := range blocks {
		dst = binary.BigEndian.AppendUint32(dst, b.SSRC)
		dst = binary.BigEndian.AppendUint32(dst, uint32(b.Fraction)<<24|uint32(b.Lost)&0xffffff)
		dst = binary.BigEndian.AppendUint32(dst, b.Highest)
		dst = binary.BigEndian.AppendUint32(dst, b.Jitter)
		dst = binary.BigEndian.AppendUint32(dst, b.LSR)
		dst = binary.BigEndian.AppendUint32(dst, b.DLSR)
	}
	return end(dst, start)
}

// AppendCNAME appends a source description (RFC 3550 §6.5.1) of one stream. A name of more than 255 bytes is cut.
func AppendCNAME(dst []byte, ssrc uint32, name string) []byte {
	const cname = 1
	name = name[:min(len(name), 255)]
	start := len(dst)
	dst = begin(dst, 1, TypeDescription, ssrc)
	dst = append(dst, cname, byte(len(name)))
	dst = append(append(dst, name...), 0) // the list ends with a zero, and zeros up to the word
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	return end(dst, start)
}
