package codec

// Counters of pictures in a payload descriptor.
type Counters struct {
	ID  uint16 // picture id, 7 or 15 bits
	TL0 uint8  // TL0PICIDX
	Key uint8  // KEYIDX of VP8, 5 bits
}

// Picture is the part of a VP8 or VP9 payload descriptor that counts pictures. Positions are offsets into the payload, 0
// when the field is absent.
type Picture struct {
	Counters
	Bits   uint8 // of the id: 7, 15, or 0 when there is none
	idAt   int
	tl0At  int
	keyAt  int // of KEYIDX, the low 5 bits of a byte
	header int
}

// HasTL0 says whether the descriptor carries TL0PICIDX.
func (p *Picture) HasTL0() bool { return p.tl0At != 0 }

// HasKey says whether the descriptor carries KEYIDX.
func (p *Picture) HasKey() bool { return p.keyAt != 0 }

// ReadPicture reads the descriptor of payload. ok is false for a codec without picture ids and for a descriptor that is cut
// off.
func (c Codec) ReadPicture(payload []byte) (p Picture, ok bool) {
	switch c {
	case VP8:
		return vp8Picture(payload)
	case VP9:
		return vp9Picture(payload)
	case Unknown, Opus, RED, H264, H265, AV1:
	}
	return Picture{}, false
}

// AppendPicture appends payload to dst with other counters in its descriptor. The id is written with 15 bits, so that a
// payload with a 7-bit one grows by a byte: a stream that has once used 15 bits keeps counting in them. Fields that were
// absent stay absent.
func AppendPicture(dst, payload []byte, p *Picture, c Counters) []byte {
	at := len(dst)
	shift := 0
	if p.Bits == 0 {
		dst = append(dst, payload...)
	} else {
		dst = append(dst, payload[:p.idAt]...)
		dst = append(dst, 0x80|byte(c.ID>>8), byte(c.ID))
		rest := p.idAt + 2
		if p.Bits == 7 {
			rest, shift = p.idAt+1, 1
		}
		dst = append(dst, payload[rest:]...)
	}
	if p.tl0At != 0 {
		dst[at+p.tl0At+shift] = c.TL0
	}
	if p.keyAt != 0 {
		b := &dst[at+p.keyAt+shift]
		*b = *b&0xe0 | c.Key&0x1f
	}
	return dst
}

// pictureID reads the 7- or 15-bit id at b[at:] into p and returns the position after it.
func (p *Picture) pictureID(b []byte, at int) (int, bool) {
	if at >= len(b) {
		return 0, false
	}
	p.idAt = at
	if b[at]&0x80 == 0 {
		p.ID, p.Bits = uint16(b[at]), 7
		return at + 1, true
	}
	if at+1 >= len(b) {
		return 0, false
	}
	p.ID, p.Bits = uint16(b[at]&0x7f)<<8|uint16(b[at+1]), 15
	return at + 2, true
}

// vp8Picture reads a VP8 payload descriptor, RFC 7741 §4.2: X R N S R PID | I L T K | PictureID | TL0PICIDX | TID Y KEYIDX.
func vp8Picture(b []byte) (p Picture, ok bool) {
	if len(b) < 1 {
		return p, false
	}
	p.header = 1
	if b[0]&0x80 == 0 {
		return p, len(b) > 1
	}
	if len(b) < 2 {
		return p, false
	}
	at, flags := 2, b[1]
	if flags&0x80 != 0 {
		if at, ok = p.pictureID(b, at); !ok {
			return Picture{}, false
		}
	}
	if flags&0x40 != 0 {
		if at >= len(b) {
			return Picture{}, false
		}
		p.TL0, p.tl0At = b[at], at
		at++
	}
	if flags&0x30 != 0 { // T or K: one byte for both
		if at >= len(b) {
			return Picture{}, false
		}
		if flags&0x10 != 0 {
			p.Key, p.keyAt = b[at]&0x1f, at
		}
		at++
	}
	p.header = at
	return p, at < len(b)
}

// vp8KeyFrame: S set and partition 0, then the P bit of the frame header is 0 (RFC 7741 §4.3).
func vp8KeyFrame(b []byte) bool {
	p, ok := vp8Picture(b)
	return ok && b[0]&0x17 == 0x10 && b[p.header]&0x01 == 0
}

// vp9Picture reads the start of a VP9 payload descriptor, RFC 9628 §4.2: I P L F B E V Z | PictureID | TID U SID D |
// TL0PICIDX (not in flexible mode).
func vp9Picture(b []byte) (p Picture, ok bool) {
	if len(b) < 1 {
		return p, false
	}
	at := 1
	if b[0]&0x80 != 0 {
		if at, ok = p.pictureID(b, at); !ok {
			return Picture{}, false
		}
	}
	if b[0]&0x20 != 0 {
		at++
		if b[0]&0x10 == 0 {
			if at >= len(b) {
				return Picture{}, false
			}
			p.TL0, p.tl0At = b[at], at
			at++
		}
	}
	p.header = at
	return p, at < len(b)
}

// vp9KeyFrame: the first packet (B) of a frame that is not predicted from earlier pictures (P), in the lowest spatial layer.
func vp9KeyFrame(b []byte) bool {
	p, ok := vp9Picture(b)
	if !ok || b[0]&0x48 != 0x08 {
		return false
	}
	return b[0]&0x20 == 0 || b[p.layersAt()]>>1&0x07 == 0
}
