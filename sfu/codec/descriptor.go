package codec

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
}

// Structure of a stream: its templates and decode targets. It comes with every key frame and holds until the next.
type Structure struct {
	offset    uint8 // template id of the first template
	templates []Template
	targets   int                // decode targets
	layers    [maxTargets]Layer  // highest of each decode target
	chains    uint32             // number of
	protected [maxTargets]uint32 // chain of each target
}

// Targets is the number of decode targets.
func (s *Structure) Targets() int { return s.targets }

// TargetLayer is the highest layer of a decode target.
func (s *Structure) TargetLayer(target int) Layer { return s.layers[target] }

// ActiveFor returns the decode targets that need nothing above highest, as a bit mask.
func (s *Structure) ActiveFor(highest Layer) uint32 {
	var mask uint32
	for i := range s.targets {
		if l := s.layers[i]; l.Spatial <= highest.Spatial && l.Temporal <= highest.Temporal {
			mask |= 1 << i
		}
	}
	return mask
}

// Descriptor is an AV1 dependency descriptor (AV1 RTP specification, appendix A), which VP8, VP9 and H.264 may carry too.
type Descriptor struct {
	Start, End  bool // of the frame
	FrameNumber uint16
	Layer       Layer
	Structure   *Structure // new with this packet, nil when the one before holds
	Active      uint32     // decode targets the encoder still produces, if HasActive
	HasActive   bool

	targets    [maxTargets]Indication
	structured int // bit after the structure, or after the flags
	activated  int // bit after the active targets
	end        int // bit after all
	extended   bool
}

// Indication says how a decode target needs the frame.
func (d *Descriptor) Indication(target int) Indication { return d.targets[target%maxTargets] }

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
	d.Layer, d.targets = current.templates[index].Layer, current.templates[index].targets
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
		for size := r.f(2); size > 0 && !r.bad; size = r.f(2) {
			r.f(int(4 * size))
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
	for range s.templates {
		diffs := 0
		for r.flag() {
			r.f(4)
			if diffs++; diffs > maxFDiffs {
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
	for target := range s.targets {
		s.protected[target] = r.ns(s.chains)
	}
	for range s.templates {
		for range s.chains {
			r.f(4)
		}
	}
}

// targetLayers finds the highest layer of each decode target (appendix A.8.3, decode_target_layers).
func (s *Structure) targetLayers() {
	for target := range s.targets {
		for i := range s.templates {
			if t := &s.templates[i]; t.targets[target] != NotPresent {
				l := &s.layers[target]
				l.Spatial, l.Temporal = max(l.Spatial, t.Layer.Spatial), max(l.Temporal, t.Layer.Temporal)
			}
		}
	}
}

// AppendDescriptor appends b, from which d was read, to dst with another frame number, and with active as the decode targets
// that can be decoded from what is forwarded; 0 leaves them as they are.
func AppendDescriptor(dst, b []byte, d *Descriptor, frame uint16, active uint32, targets int) []byte {
	at := len(dst)
	if active == 0 {
		dst = append(dst, b...)
		dst[at+1], dst[at+2] = byte(frame>>8), byte(frame)
		return dst
	}
	w := bitWriter{data: dst}
	w.copy(b, 0, 8)
	w.f(uint32(frame), 16)
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
