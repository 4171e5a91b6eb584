package sfutest

// bits is a string of bits, for reading and writing.
type bits struct {
	b  []bool
	at int
}

func (w *bits) put(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		w.b = append(w.b, v>>i&1 == 1)
	}
}

// nonSymmetric writes v < n, ns(n).
func (w *bits) nonSymmetric(v, n uint32) {
	width := 0
	for x := n; x > 0; x >>= 1 {
		width++
	}
	m := uint32(1)<<width - n
	if v < m {
		w.put(v, width-1)
	} else {
		w.put(v+m, width)
	}
}

func (w *bits) bytes() []byte {
	all := make([]byte, (len(w.b)+7)/8)
	for i, one := range w.b {
		if one {
			all[i/8] |= 0x80 >> (i % 8)
		}
	}
	return all
}

func fromBytes(b []byte) *bits {
	r := &bits{}
	for _, v := range b {
		r.put(uint32(v), 8)
	}
	return r
}

func (w *bits) get(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if w.at < len(w.b) && w.b[w.at] {
			v |= 1
		}
		w.at++
	}
	return v
}

func (w *bits) over() bool { return w.at > len(w.b) }

// Decode target indications.
const (
	notPresent = iota
	discardable
	switchTo
	required
)

// indications of a frame for the decode targets: one for every pair of a spatial and a temporal layer.
func (e *Encoder) indications(spatial, temporal int, key, closed bool) []uint32 {
	var all []uint32
	for s := range e.Spatial {
		for t := range e.Temporal {
			v := uint32(required)
			switch {
			case spatial > s || temporal > t || e.KeyOnly && !key && spatial != s:
				v = notPresent
			case key, spatial == s && (closed || temporal == 0 && t == 0) && temporal < 2:
				v = switchTo
			case spatial == s && temporal == 2 && closed:
				v = discardable
			}
			all = append(all, v)
		}
	}
	return all
}

// template of a frame: for every spatial layer one of key frames, then one for every temporal layer.
func (e *Encoder) template(f *Frame) uint8 {
	at := f.Spatial * (e.Temporal + 1)
	if !f.Key {
		at += 1 + f.Temporal
	}
	return (e.offset + uint8(at)) & 0x3f
}

// describe writes the dependency descriptor of a packet (AV1 RTP specification, appendix A.8.2). Templates have the
// indications of closed groups and no references; what is otherwise is written as custom.
func (e *Encoder) describe(f *Frame, first, last bool) []byte {
	structure := first && f.Key && f.Spatial == 0
	if structure {
		e.offset = (e.offset + uint8(e.Rand.IntN(20))) & 0x3f
	}
	w := &bits{}
	w.put(flag(first), 1)
	w.put(flag(last), 1)
	w.put(uint32(e.template(f)), 6)
	w.put(uint32(f.number), 16)
	targets := !f.Key && !f.Closed
	if !structure && !targets && len(f.Refs) == 0 {
		return w.bytes()
	}
	w.put(flag(structure), 1)
	w.put(0, 1)
	w.put(flag(targets), 1)
	w.put(flag(len(f.Refs) > 0), 1)
	w.put(0, 1)
	if structure {
		e.structure(w)
	}
	if targets {
		for _, v := range e.indications(f.Spatial, f.Temporal, false, false) {
			w.put(v, 2)
		}
	}
	if len(f.Refs) > 0 {
		for _, id := range f.Refs {
			diff := uint32(f.number-e.Truth.Frames[id].number) - 1
			size := 1
			for diff >= 1<<(4*size) {
				size++
			}
			w.put(uint32(size), 2)
			w.put(diff, 4*size)
		}
		w.put(0, 2)
	}
	return w.bytes()
}

func flag(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// structure writes template_dependency_structure().
func (e *Encoder) structure(w *bits) {
	w.put(uint32(e.offset), 6)
	w.put(uint32(e.Spatial*e.Temporal-1), 5)
	for s := range e.Spatial {
		w.put(0, 2) // from the template of key frames to the one of T0
		for t := range e.Temporal {
			switch {
			case t < e.Temporal-1:
				w.put(1, 2)
			case s < e.Spatial-1:
				w.put(2, 2)
			default:
				w.put(3, 2)
			}
		}
	}
	for s := range e.Spatial {
		for t := -1; t < e.Temporal; t++ {
			for _, v := range e.indications(s, max(t, 0), t < 0, true) {
				w.put(v, 2)
			}
		}
	}
	for range e.Spatial * (e.Temporal + 1) {
		w.put(0, 1) // no references
	}
	targets, templates := uint32(e.Spatial*e.Temporal), e.Spatial*(e.Temporal+1)
	w.nonSymmetric(1, targets+1) // one chain; ns(1) for each target has no bits
	for i := range templates {
		w.put(uint32(i%16), 4)
	}
	w.put(1, 1)
	for s := range e.Spatial {
		w.put(uint32(320<<s-1), 16)
		w.put(uint32(180<<s-1), 16)
	}
}

// structureRead is what a receiver knows of a structure.
type structureRead struct {
	offset    uint32
	targets   int
	templates []templateRead
}

type templateRead struct {
	indications []uint32
	diffs       []uint32
}

// descriptorRead is a descriptor as a receiver reads it.
type descriptorRead struct {
	first, last bool
	number      uint16
	templateRead
}

// read a descriptor; r keeps the structure and the active decode targets.
func (r *Receiver) read(b []byte) (d descriptorRead, ok bool) {
	in := fromBytes(b)
	d.first, d.last = in.get(1) == 1, in.get(1) == 1
	template := in.get(6)
	d.number = uint16(in.get(16))
	var targets, diffs, chains bool
	if len(b) > 3 {
		structure, active := in.get(1) == 1, in.get(1) == 1
		targets, diffs, chains = in.get(1) == 1, in.get(1) == 1, in.get(1) == 1
		if structure {
			r.structure = readStructure(in)
			r.active = 1<<r.structure.targets - 1
		}
		if r.structure == nil {
			return d, false
		}
		if active {
			r.active = in.get(r.structure.targets)
		}
	}
	if r.structure == nil {
		return d, false
	}
	at := int(template-r.structure.offset) & 0x3f
	if at >= len(r.structure.templates) || chains {
		return d, false
	}
	d.templateRead = r.structure.templates[at]
	if targets {
		d.indications = nil
		for range r.structure.targets {
			d.indications = append(d.indications, in.get(2))
		}
	}
	if diffs {
		d.diffs = nil
		for size := in.get(2); size > 0; size = in.get(2) {
			d.diffs = append(d.diffs, in.get(int(4*size))+1)
		}
	}
	return d, !in.over()
}

func readStructure(in *bits) *structureRead {
	s := &structureRead{offset: in.get(6)}
	s.targets = int(in.get(5)) + 1
	spatial := 1
	for more := true; more; {
		s.templates = append(s.templates, templateRead{})
		switch in.get(2) {
		case 2:
			spatial++
		case 3:
			more = false
		}
	}
	for i := range s.templates {
		for range s.targets {
			s.templates[i].indications = append(s.templates[i].indications, in.get(2))
		}
	}
	for i := range s.templates {
		for in.get(1) == 1 {
			s.templates[i].diffs = append(s.templates[i].diffs, in.get(4)+1)
		}
	}
	// The encoder of this package writes one chain, so that each target's takes no bits. ns(targets+1):
	n := uint32(s.targets) + 1
	width := 0
	for x := n; x > 0; x >>= 1 {
		width++
	}
	if v := in.get(width - 1); v >= 1<<width-n {
		in.get(1)
	}
	for range s.templates {
		in.get(4)
	}
	if in.get(1) == 1 {
		in.get(32 * spatial)
	}
	return s
}
