package forward

import "github.com/turnout-rtc/turnout/sfu/codec"

// pictures maps the picture counters of a source. Those of VP8 close up over pictures that are left out, for a receiver waits
// for missing ones. Those of VP9 do not: its pictures refer to each other by the difference of their ids (RFC 9628 §4.2).
type pictures struct {
	counting bool   // the fields below are set
	bits     uint8  // of the ids received
	newest   uint64 // id received, unwrapped
	ids      ranges
	sent     uint64 // highest id sent, unwrapped
	tl0Delta uint8
	keyDelta uint8
}

// pictureStart leaves room below the first unwrapped picture id for earlier ones.
const pictureStart = 1 << 16

// unwrap returns the number closest to the newest picture that is id in so many bits.
func (p *pictures) unwrap(id uint16) uint64 {
	if p.bits == 0 {
		return p.newest
	}
	size := 1 << p.bits
	d := (int(id) - int(p.newest) + pictureStart*size) % size
	if d >= size/2 {
		d -= size
	}
	return p.newest + uint64(int64(d))
}

// count fills in the picture counters of s.
func (r *Rewriter) count(in *In, s *Sent) {
	if !r.counted(in) {
		return
	}
	p, c := &in.Picture, &r.cur.pictures
	id := c.unwrap(p.ID)
	out, ok := c.ids.number(id)
	if !ok { // of a picture that was left out
		s.traits |= empty
		return
	}
	s.counters = codec.Counters{
		ID:  uint16(out) & 0x7fff, //nolint:gosec // modulo 2^15 on purpose
		TL0: p.TL0 + c.tl0Delta,
		Key: (p.Key + c.keyDelta) & 0x1f,
	}
	s.traits |= counted
	c.newest = max(c.newest, id)
	if out > c.sent {
		c.sent, r.counters = out, s.counters
	}
}

// skipPicture has the picture ids close up over a picture of which nothing is sent.
func (r *Rewriter) skipPicture(in *In) {
	if r.cur.manner.Codec != codec.VP8 || !in.Newer || !r.counted(in) || in.Picture.Bits == 0 {
		return
	}
	c := &r.cur.pictures
	if id := c.unwrap(in.Picture.ID); c.ids.leaveOut(id) {
		c.newest = id
	}
}

// counted says whether in has counters, and begins to count with the first picture.
func (r *Rewriter) counted(in *In) bool {
	p := &in.Picture
	if !in.HasPicture || p.Bits == 0 && !p.HasTL0() && !p.HasKey() {
		return false
	}
	if c := &r.cur.pictures; !c.counting || p.Bits != c.bits {
		first, sent := pictureStart+uint64(p.ID), pictureStart+uint64(r.counters.ID)
		*c = pictures{
			counting: true, bits: p.Bits, newest: first, ids: newRanges(first, sent+1), sent: sent,
			tl0Delta: r.counters.TL0 + 1 - p.TL0, keyDelta: r.counters.Key + 1 - p.Key,
		}
	}
	return true
}
