package sfutest

// piece is what one packet carries.
type piece struct {
	begin, end bool // of a frame
	aside      bool // parameter sets, no part of a frame's body
	body       []byte

	id     uint16 // picture id
	idBits int
	tl0    int // -1 for none
	diffs  []int
}

// depacketize reads a payload; nil is for what is not allowed.
func depacketize(c Codec, b []byte, marker bool) *piece {
	switch c {
	case VP8:
		return depacketizeVP8(b, marker)
	case VP9:
		return depacketizeVP9(b)
	case AV1:
		return depacketizeAV1(b)
	case H264:
		return depacketizeH264(b)
	case H265:
		return depacketizeH265(b)
	}
	return nil
}

// pictureID reads M PictureID, and returns what follows.
func (p *piece) pictureID(b []byte) []byte {
	if len(b) > 0 && b[0]&0x80 == 0 {
		p.id, p.idBits = uint16(b[0]), 7
		return b[1:]
	}
	if len(b) < 2 {
		return nil
	}
	p.id, p.idBits = uint16(b[0]&0x7f)<<8|uint16(b[1]), 15
	return b[2:]
}

func depacketizeVP8(b []byte, marker bool) *piece {
	if len(b) < 4 || b[0]&0x80 == 0 || b[1]&0xc0 != 0xc0 {
		return nil
	}
	p := &piece{begin: b[0]&0x10 != 0 && b[0]&0x07 == 0, end: marker}
	if b = p.pictureID(b[2:]); len(b) < 3 {
		return nil
	}
	p.tl0, p.body = int(b[0]), b[2:]
	return p
}

func depacketizeVP9(b []byte) *piece {
	if len(b) < 3 {
		return nil
	}
	head := b[0]
	p := &piece{begin: head&0x08 != 0, end: head&0x04 != 0, tl0: -1}
	if b = p.pictureID(b[1:]); len(b) < 2 {
		return nil
	}
	b = b[1:] // TID U SID D
	switch {
	case head&0x10 == 0:
		p.tl0, b = int(b[0]), b[1:]
	case head&0x40 != 0:
		for more := true; more; b = b[1:] {
			if len(b) < 2 {
				return nil
			}
			p.diffs = append(p.diffs, int(b[0]>>1))
			more = b[0]&1 == 1
		}
	}
	p.body = b
	return p
}

func depacketizeAV1(b []byte) *piece {
	if len(b) < 2 || b[0]&0x30 != 0x10 {
		return nil
	}
	p := &piece{begin: b[0]&0x80 == 0, end: b[0]&0x40 == 0, tl0: -1, body: b[1:]}
	if p.begin { // the OBU's header
		p.body = b[2:]
	}
	return p
}

func depacketizeH264(b []byte) *piece {
	if len(b) < 2 {
		return nil
	}
	switch unit := b[0] & 0x1f; unit {
	case 1, 5:
		return &piece{begin: true, end: true, tl0: -1, body: b[1:]}
	case 7, 8, 24:
		return &piece{aside: true}
	case 28:
		return &piece{begin: b[1]&0x80 != 0, end: b[1]&0x40 != 0, tl0: -1, body: b[2:]}
	}
	return nil
}

func depacketizeH265(b []byte) *piece {
	if len(b) < 3 || b[1]&0x07 == 0 {
		return nil
	}
	switch unit := b[0] >> 1 & 0x3f; {
	case unit == 48:
		return &piece{aside: true}
	case unit == 49:
		return &piece{begin: b[2]&0x80 != 0, end: b[2]&0x40 != 0, tl0: -1, body: b[3:]}
	case unit < 32:
		return &piece{begin: true, end: true, tl0: -1, body: b[2:]}
	}
	return nil
}
