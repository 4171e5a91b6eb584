package sfutest

// packetize cuts a frame into packets.
func (e *Encoder) packetize(f *Frame) []Packet {
	var all []Packet
	payloads := e.payloads(f)
	for i, p := range payloads {
		first, last := i == 0, i == len(payloads)-1
		var d []byte
		if e.Descriptor != 0 {
			d = e.describe(f, first, last)
		}
		all = append(all, Packet{
			Bytes: e.rtp(p, d, last && f.Last, 0), Frame: f, Structure: e.Descriptor != 0 && first && f.Key && f.Spatial == 0,
		})
	}
	return all
}

// cut a body into one to four pieces.
func (e *Encoder) cut(b []byte) [][]byte {
	var all [][]byte
	for n := 1 + e.Rand.IntN(4); n > 1 && len(b) > 6; n-- {
		at := 1 + e.Rand.IntN(len(b)-1)
		if len(all) == 0 {
			at = max(at, 3)
		}
		all, b = append(all, b[:at]), b[at:]
	}
	return append(all, b)
}

func (e *Encoder) payloads(f *Frame) [][]byte {
	switch e.Codec {
	case H264:
		return e.h264(f)
	case H265:
		return e.h265(f)
	case AV1:
		return e.av1(f)
	case VP8, VP9:
	}
	var all [][]byte
	pieces := e.cut(f.Body)
	for i, p := range pieces {
		var head []byte
		if e.Codec == VP8 {
			head = e.vp8(f, i == 0)
		} else {
			head = e.vp9(f, i == 0, i == len(pieces)-1)
		}
		all = append(all, append(head, p...))
	}
	return all
}

// vp8 is the payload descriptor of RFC 7741 §4.2.
func (e *Encoder) vp8(f *Frame, first bool) []byte {
	b := []byte{0x80, 0xf0}
	if first {
		b[0] |= 0x10
	}
	b = append(b, e.id(f)...)
	layer := byte(f.Temporal<<6) | e.keys&0x1f
	if f.Temporal > 0 && e.sync(f) {
		layer |= 0x20
	}
	return append(b, f.tl0, layer)
}

func (e *Encoder) id(f *Frame) []byte {
	if e.LongID {
		return []byte{0x80 | byte(f.picture>>8), byte(f.picture)}
	}
	return []byte{byte(f.picture)}
}

// vp9 is the payload descriptor of RFC 9628 §4.2.
func (e *Encoder) vp9(f *Frame, first, last bool) []byte {
	var diffs []byte
	between := byte(0) // D: it refers to the layer below in its picture
	for _, id := range f.Refs {
		if r := e.Truth.Frames[id]; r.Spatial == f.Spatial {
			diffs = append(diffs, byte(f.picture-r.picture)&0x7f)
		} else {
			between = 1
		}
	}
	head := byte(0x80 | 0x20)
	if !f.Key {
		head |= 0x40
	}
	if e.Flexible {
		head |= 0x10
	}
	if first {
		head |= 0x08
	}
	if last {
		head |= 0x04
	}
	b := append([]byte{head}, e.id(f)...)
	layer := byte(f.Temporal<<5) | byte(f.Spatial<<1) | between
	if f.Closed {
		layer |= 0x10
	}
	b = append(b, layer)
	if !e.Flexible {
		return append(b, f.tl0)
	}
	for i, d := range diffs {
		v := d << 1
		if i < len(diffs)-1 {
			v |= 1
		}
		b = append(b, v)
	}
	return b
}

// av1 is one OBU without a size, cut into fragments: Z Y W W N - - -, §4.4.
func (e *Encoder) av1(f *Frame) [][]byte {
	obu := append([]byte{6 << 3}, f.Body...)
	var all [][]byte
	pieces := e.cut(obu)
	for i, p := range pieces {
		head := byte(1 << 4)
		if i > 0 {
			head |= 0x80
		}
		if i < len(pieces)-1 {
			head |= 0x40
		}
		if i == 0 && f.Key && f.Spatial == 0 {
			head |= 0x08
		}
		all = append(all, append([]byte{head}, p...))
	}
	return all
}

// aggregate puts NAL units into one packet, each with its size in front.
func aggregate(head []byte, units ...[]byte) []byte {
	b := head
	for _, u := range units {
		b = append(b, byte(len(u)>>8), byte(len(u)))
		b = append(b, u...)
	}
	return b
}

// h264 in packetization mode 1, RFC 6184 §5: parameter sets together or alone, slices whole or in fragments.
func (e *Encoder) h264(f *Frame) [][]byte {
	var all [][]byte
	slice := byte(0x61)
	if f.Key {
		slice = 0x65
		sps, pps := []byte{0x67, 0x42, 0xe0, 0x1f}, []byte{0x68, 0xce}
		if e.Rand.IntN(2) == 0 {
			all = append(all, aggregate([]byte{0x78}, sps, pps))
		} else {
			all = append(all, sps, pps)
		}
	}
	pieces := e.cut(f.Body)
	if len(pieces) == 1 {
		return append(all, append([]byte{slice}, f.Body...))
	}
	for i, p := range pieces {
		all = append(all, append([]byte{slice&0xe0 | 28, startEnd(i, len(pieces)) | slice&0x1f}, p...))
	}
	return all
}

func startEnd(i, n int) byte {
	switch i {
	case 0:
		return 0x80
	case n - 1:
		return 0x40
	}
	return 0
}

// h265 by RFC 7798 §4.4: parameter sets together, slices whole or in fragments, TSA pictures where a receiver can step up.
func (e *Encoder) h265(f *Frame) [][]byte {
	var all [][]byte
	unit, temporal := byte(1), byte(f.Temporal+1)
	switch {
	case f.Key:
		unit = 19
		all = append(all, aggregate([]byte{48 << 1, 1}, []byte{32 << 1, 1, 0x0c}, []byte{33 << 1, 1, 1}, []byte{34 << 1, 1, 0xc0}))
	case f.Temporal > 0 && f.Closed && e.Rand.IntN(2) == 0:
		unit = 3
	case f.Temporal > 0 && f.Closed:
		unit = 5
	}
	pieces := e.cut(f.Body)
	if len(pieces) == 1 {
		return append(all, append([]byte{unit << 1, temporal}, f.Body...))
	}
	for i, p := range pieces {
		all = append(all, append([]byte{49 << 1, temporal, startEnd(i, len(pieces)) | unit}, p...))
	}
	return all
}
