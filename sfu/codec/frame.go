package codec

// Frame is what a packet says about the frame it belongs to: one picture of one layer.
type Frame struct {
	Layer Layer
	Begin bool // first packet of the frame
	End   bool // last packet of the frame, where the codec tells; otherwise the RTP marker does
	Key   bool // of a picture that needs no earlier one
	// Sync says that decoding of the frame's temporal layer can begin here: it refers to nothing of that layer or above.
	Sync bool
	// Up says that what follows in higher temporal layers refers to nothing in them from before this frame.
	Up bool
	// Alone says that the frame refers to no earlier picture, only to lower spatial layers of its own.
	Alone bool
}

// ReadFrame reads what the payload tells of its layers. For a codec that tells nothing, every frame is of the lowest layer.
func (c Codec) ReadFrame(payload []byte) Frame {
	switch c {
	case VP8:
		return vp8Frame(payload)
	case VP9:
		return vp9Frame(payload)
	case H265:
		return h265Frame(payload)
	case Unknown, Opus, RED, H264, AV1:
	}
	return Frame{Key: c.KeyFrame(payload)}
}

// vp8Frame reads TID and Y (RFC 7741 §4.2). Without a TID, a frame is of the lowest layer.
func vp8Frame(b []byte) Frame {
	p, ok := vp8Picture(b)
	if !ok {
		return Frame{}
	}
	f := Frame{Begin: b[0]&0x17 == 0x10, Key: vp8KeyFrame(b)}
	f.Sync, f.Up, f.Alone = f.Key, f.Key, f.Key
	if b[0]&0x80 != 0 && b[1]&0x20 != 0 {
		tid := b[p.header-1]
		f.Layer.Temporal = tid >> 6
		f.Sync = f.Sync || tid&0x20 != 0
	}
	return f
}

// vp9Frame reads P, B, E, TID, U and SID (RFC 9628 §4.2). U is Up by the RFC; libwebrtc sets it on frames that refer to lower
// temporal layers only, which is Sync. Both are true of the structures in use.
func vp9Frame(b []byte) Frame {
	p, ok := vp9Picture(b)
	if !ok {
		return Frame{}
	}
	alone := b[0]&0x40 == 0
	f := Frame{Begin: b[0]&0x08 != 0, End: b[0]&0x04 != 0, Alone: alone, Sync: alone, Up: alone}
	if b[0]&0x20 != 0 {
		layers := b[p.layersAt()]
		f.Layer = Layer{Spatial: layers >> 1 & 0x07, Temporal: layers >> 5}
		up := layers&0x10 != 0
		f.Sync, f.Up = f.Sync || up, f.Up || up
	}
	f.Key = alone && f.Layer.Spatial == 0
	return f
}

// layersAt is the position of the byte TID U SID D of VP9, which stands before TL0PICIDX, or last.
func (p *Picture) layersAt() int {
	if p.tl0At != 0 {
		return p.tl0At - 1
	}
	return p.header - 1
}
