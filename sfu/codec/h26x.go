package codec

// Types of H.264 NAL units, RFC 6184 §5.2.
const (
	nalIDR   = 5
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

// firstSlice is the first bit of a slice: in H.264 it says that first_mb_in_slice is 0, in H.265 it is
// first_slice_segment_in_pic_flag.
const firstSlice = 0x80

// h264KeyFrame finds a parameter set or the first slice of an IDR picture, in any of the three packetization modes' forms.
// Encoders repeat the parameter sets in front of every IDR picture, so the first of the two is where a decoder starts.
func h264KeyFrame(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	switch b[0] & 0x1f {
	case nalFUA: // header: start bit, end bit, reserved bit, type
		return b[1]&0x80 != 0 && len(b) > 2 && h264Starts(b[1]&0x1f, b[2])
	case nalSTAPA:
		return aggregated(b[1:], h264KeyFrame)
	}
	return h264Starts(b[0]&0x1f, b[1])
}

// h264Starts says whether a decoder can start with a NAL unit of that type, with next as the byte behind its header.
func h264Starts(unit, next byte) bool {
	return unit == nalSPS || unit == nalIDR && next&firstSlice != 0
}

// aggregated says whether one of the NAL units of an aggregation packet is what is looked for: each has 16 bits of size in
// front. Aggregation packets are not nested.
func aggregated(b []byte, is func(nal []byte) bool) bool {
	for len(b) > 2 {
		size := int(b[0])<<8 | int(b[1])
		b = b[2:]
		if size > len(b) {
			size = len(b)
		}
		if size > 0 && b[0]&0x1f != nalSTAPA && is(b[:size]) {
			return true
		}
		b = b[size:]
	}
	return false
}

// Types of H.265 NAL units, RFC 7798 §1.1.4 and H.265 table 7-1.
const (
	hevcTSAN   = 2
	hevcTSAR   = 3
	hevcSTSAN  = 4
	hevcSTSAR  = 5
	hevcBLA    = 16 // first type of a picture from which decoding can begin (IRAP)
	hevcCRA    = 21 // last one that is in use
	hevcVPS    = 32
	hevcSPS    = 33
	hevcAP     = 48 // aggregation packet
	hevcFU     = 49 // fragment
	hevcHeader = 2
)

// h265Unit reads the type of the NAL unit that a packet begins, the first byte behind its header, and its temporal layer. A
// packet in the middle of a fragmented unit begins none. Aggregation packets count as what they are.
func h265Unit(b []byte) (unit, next byte, temporal uint8, begins, ok bool) {
	if len(b) <= hevcHeader || b[1]&0x07 == 0 {
		return 0, 0, 0, false, false
	}
	unit, temporal = b[0]>>1&0x3f, b[1]&0x07-1
	if unit != hevcFU {
		return unit, b[2], temporal, true, true
	}
	if len(b) < 4 {
		return 0, 0, 0, false, false
	}
	return b[2] & 0x3f, b[3], temporal, b[2]&0x80 != 0, true
}

// h265KeyFrame finds a parameter set or the first slice of a picture from which decoding can begin.
func h265KeyFrame(b []byte) bool {
	unit, next, _, begins, ok := h265Unit(b)
	switch {
	case !ok || !begins:
		return false
	case unit == hevcAP:
		return h265Aggregated(b[hevcHeader:], h265KeyFrame)
	}
	return unit == hevcVPS || unit == hevcSPS || irap(unit) && next&firstSlice != 0
}

func irap(unit byte) bool { return unit >= hevcBLA && unit <= hevcCRA }

// h265Aggregated is like aggregated, for the NAL units of H.265.
func h265Aggregated(b []byte, is func(nal []byte) bool) bool {
	for len(b) > 2 {
		size := min(int(b[0])<<8|int(b[1]), len(b)-2)
		if nal := b[2 : 2+size]; size > hevcHeader && nal[0]>>1&0x3f != hevcAP && is(nal) {
			return true
		}
		b = b[2+size:]
	}
	return false
}

// h265Frame reads the temporal layer of the NAL header, and whether its picture is one at which a receiver can step up to it.
func h265Frame(b []byte) Frame {
	unit, next, temporal, begins, ok := h265Unit(b)
	if !ok {
		return Frame{}
	}
	f := Frame{Layer: Layer{Temporal: temporal}, Key: h265KeyFrame(b)}
	if unit == hevcAP { // its header has the lowest layer of its units, RFC 7798 §4.4.2
		f.Begin = f.Key
		return f
	}
	f.Begin = begins && (f.Key || unit < hevcVPS && next&firstSlice != 0)
	f.Up = unit == hevcTSAN || unit == hevcTSAR || irap(unit)
	f.Sync = f.Up || unit == hevcSTSAN || unit == hevcSTSAR
	f.Alone = irap(unit)
	return f
}
