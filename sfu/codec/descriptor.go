package codec

import "encoding/binary"

// Limits of a dependency descriptor that its fields give, or that no encoder needs to exceed.
const (
	maxTemplates = 64
	maxTargets   = 32
	maxSpatial   = 4
	maxFDiffs    = 16
)

// Indication of how a decode target needs a frame (AV1 RTP specification, appendix A.4).
type Indication uint8

// The decode target indications.
const (
	NotPresent  Indication = iota // the frame is not part of the target
	Discardable                   // nothing else needs it
	Switch                        // decoding of the target can begin here
	Required
)

// Layer of a frame.
type Layer struct{ Spatial, Temporal uint8 }

// Template is what frames of a kind have in common.
type Template struct {
	Layer   Layer
	targets [maxTargets]Indication
	diffs   diffs
}

// diffs are how many frames before it a frame refers to.
type diffs struct {
	list  [maxFDiffs]uint16
	count int
}

func (d *diffs) add(v uint16) bool {
	if d.count == maxFDiffs {
		return false
	}
	d.list[d.count] = v
	d.count++
	return true
}

// Structure of a stream: its templates and decode targets. It comes with every key frame and holds until the next.
type Structure struct {
	offset    uint8 // template id of the first template
	templates []Template
	targets   int                // decode targets
	layers    [maxTargets]Layer  // highest of each decode target
	within    [maxTargets]uint32 // targets whose frames are all part of the target, as a bit mask
	chains    uint32             // number of
}

// Targets is the number of decode targets.
func (s *Structure) Targets() int { return s.targets }

// TargetLayer is the highest layer of a decode target.
func (s *Structure) TargetLayer(target int) Layer { return s.layers[target] }

// Offset is the id of the first template.
func (s *Structure) Offset() uint8 { return s.offset }

// Templates is the number of templates.
func (s *Structure) Templates() int { return len(s.templates) }

// Within returns the decode targets that can be decoded by who receives all of target, as a bit mask.
func (s *Structure) Within(target int) uint32 { return s.within[target] }

// Descriptor is an AV1 dependency descriptor (AV1 RTP specification, appendix A), which VP8, VP9 and H.264 may carry too.
type Descriptor struct {
	Start, End  bool // of the frame
	FrameNumber uint16
	Layer       Layer
	Structure   *Structure // new with this packet, nil when the one before holds
	Active      uint32     // decode targets the encoder still produces, if HasActive
	HasActive   bool

	targets    [maxTargets]Indication
	diffs      diffs
	structured int // bit after the structure, or after the flags
	activated  int // bit after the active targets
	end        int // bit after all
	extended   bool
}

// Indication says how a decode target needs the frame.
func (d *Descriptor) Indication(target int) Indication { return d.targets[target%maxTargets] }

// References are how many frames before this one those lie that it refers to.
func (d *Descriptor) References() []uint16 { return d.diffs.list[:d.diffs.count] }

// Frame is the same for the choice of layers.
func (d *Descriptor) Frame() Frame {
	return Frame{Layer: d.Layer, Begin: d.Start, End: d.End, Key: d.Structure != nil, Alone: d.Structure != nil}
}

// ReadDescriptor reads a descriptor. current is the structure that holds so far, nil before the first. ok is false for what
// cannot be read, which without a structure is everything that does not bring one.
func ReadDescriptor(b []byte, current *Structure) (d Descriptor, ok bool) {
	r := bitReader{data: b}
	d.Start, d.End = r.flag(), r.flag()
	template := uint8(r.f(6))
	d.FrameNumber = uint16(r.f(16))
	var customTargets, customDiffs, customChains bool
	if d.extended = len(b) > 3; d.extended {
		structure, active := r.flag(), r.flag()
		customTargets, customDiffs, customChains = r.flag(), r.flag(), r.flag()
		if structure {
			if d.Structure = readStructure(&r); d.Structure == nil {
				return Descriptor{}, false
			}
			current = d.Structure
		}
		d.structured = r.at
		if active && current != nil {
			d.Active, d.HasActive = r.f(current.targets), true
		}
		d.activated = r.at
	}
	if current == nil || r.bad {
		return Descriptor{}, false
	}
	index := int(template+64-current.offset) % 64
	if index >= len(current.templates) {
		return Descriptor{}, false
	}
	t := &current.templates[index]
	d.Layer, d.targets, d.diffs = t.Layer, t.targets, t.diffs
	d.readCustom(&r, current, customTargets, customDiffs, customChains)
	d.end = r.at
	return d, !r.bad
}

// readCustom reads what this frame has other than its template.
func (d *Descriptor) readCustom(r *bitReader, s *Structure, targets, diffs, chains bool) {
	if targets {
		for i := range s.targets {
			d.targets[i] = Indication(r.f(2))
		}
	}
	if diffs {
		d.diffs.count = 0
		for size := r.f(2); size > 0 && !r.bad; size = r.f(2) {
			r.bad = !d.diffs.add(uint16(r.f(int(4*size))+1)) || r.bad
		}
	}
	if chains {
		for range s.chains {
			r.f(8)
		}
	}
}

// readStructure reads template_dependency_structure(), nil for one that cannot be.
func readStructure(r *bitReader) *Structure {
	s := &Structure{offset: uint8(r.f(6)), targets: int(r.f(5)) + 1}
	highest, ok := s.readLayers(r)
	if !ok {
		return nil
	}
	for i := range s.templates {
		for target := range s.targets {
			s.templates[i].targets[target] = Indication(r.f(2))
		}
	}
	for i := range s.templates {
		for r.flag() {
			if !s.templates[i].diffs.add(uint16(r.f(4)) + 1) {
				return nil
			}
		}
	}
	s.readChains(r)
	s.targetLayers()
	if r.flag() { // resolutions
		for range highest + 1 {
			r.f(16)
			r.f(16)
		}
	}
	if r.bad {
		return nil
	}
	return s
}

// readLayers reads template_layers() and returns the highest spatial layer.
func (s *Structure) readLayers(r *bitReader) (highest uint8, ok bool) {
	const sameLayer, nextTemporal, nextSpatial, noMore = 0, 1, 2, 3
	var l Layer
	for {
		if len(s.templates) == maxTemplates || l.Spatial >= maxSpatial || r.bad {
			return 0, false
		}
		s.templates = append(s.templates, Template{Layer: l})
		switch r.f(2) {
		case sameLayer:
		case nextTemporal:
			l.Temporal++
		case nextSpatial:
			l.Spatial, l.Temporal = l.Spatial+1, 0
		case noMore:
			return l.Spatial, true
		}
	}
}

// readChains reads template_chains().
func (s *Structure) readChains(r *bitReader) {
	if s.chains = r.ns(uint32(s.targets) + 1); s.chains == 0 {
		return
	}
	for range s.targets {
		r.ns(s.chains) // the chain that protects the target
	}
	for range s.templates {
		for range s.chains {
			r.f(4)
		}
	}
}

// targetLayers finds the highest layer of each decode target (appendix A.8.3, decode_target_layers), and which targets are
// part of which.
func (s *Structure) targetLayers() {
	for target := range s.targets {
		for other := range s.targets {
			if s.contains(target, other) {
				s.within[target] |= 1 << other
			}
		}
	}
	for target := range s.targets {
		for i := range s.templates {
			if t := &s.templates[i]; t.targets[target] != NotPresent {
				l := &s.layers[target]
				l.Spatial, l.Temporal = max(l.Spatial, t.Layer.Spatial), max(l.Temporal, t.Layer.Temporal)
			}
		}
	}
}

// contains says whether all frames of other are part of target.
func (s *Structure) contains(target, other int) bool {
	for i := range s.templates {
		if t := &s.templates[i]; t.targets[other] != NotPresent && t.targets[target] == NotPresent {
			return false
		}
	}
	return true
}

// Shift is what changes in the descriptors of a source that is sent behind another one.
type Shift struct {
	Frame    uint16 // added to frame numbers
	Template uint8  // added to template ids, modulo 64
	Active   uint32 // decode targets that can be decoded from what is forwarded, as a bit mask; 0 leaves them as they are
}

// AppendDescriptor appends b, from which d was read with the structure current, to dst with that shift.
func AppendDescriptor(dst, b []byte, d *Descriptor, current *Structure, by Shift) []byte {
	at := len(dst)
	if d.Structure != nil {
		current = d.Structure
	}
	if by.Active == 0 {
		dst = append(dst, b...)
	} else {
		dst = d.appendActive(dst, b, by.Active, current.targets)
	}
	out := dst[at:]
	by.apply(out)
	if d.Structure != nil { // template_id_offset: the 6 bits behind the flags, the lower 3 of byte 3 and the upper 3 of byte 4
		offset := d.Structure.offset + by.Template
		out[3] = out[3]&^0x07 | offset>>3&0x07
		out[4] = out[4]&^0xe0 | offset<<5
	}
	return dst
}

// AppendUnread is AppendDescriptor for a descriptor that cannot be read, because its structure is not known. What can be
// decoded stays open.
func AppendUnread(dst, b []byte, by Shift) []byte {
	at := len(dst)
	dst = append(dst, b...)
	by.apply(dst[at:])
	return dst
}

// apply changes the fields that every descriptor begins with: start, end, template id (6) | frame number (16).
func (s *Shift) apply(b []byte) {
	if len(b) < 3 {
		return
	}
	b[0] = b[0]&0xc0 | (b[0]+s.Template)&0x3f
	frame := binary.BigEndian.Uint16(b[1:]) + s.Frame
	binary.BigEndian.PutUint16(b[1:], frame)
}

// appendActive appends b with active as its active decode targets.
func (d *Descriptor) appendActive(dst, b []byte, active uint32, targets int) []byte {
	w := bitWriter{data: dst}
	w.copy(b, 0, 24)
	if !d.extended {
		w.f(0b01000, 5)
		w.f(active, targets)
		return w.data
	}
	r := bitReader{data: b, at: 24}
	w.f(r.f(5)|0b01000, 5)
	w.copy(b, 29, d.structured)
	w.f(active, targets)
	w.copy(b, d.activated, d.end)
	return w.data
}
