package sfutest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// Received is a packet as a subscriber gets it. Codec is what its payload type stands for, Showing counts how often the
// subscriber was switched to a source.
type Received struct {
	Codec      Codec
	Showing    int
	Marker     bool
	Seq        uint16
	Timestamp  uint32
	Payload    []byte
	Descriptor []byte // nil for none
}

// Receiver is a subscriber that collects what it is sent and looks at it in the end.
type Receiver struct {
	Truth *Truth

	packets []numbered
	highest int64

	// Of dependency descriptors.
	structure *structureRead
	active    uint32

	frames  map[uint32]*arrived // complete ones, by ID
	last    *arrived
	numbers *uint16 // newest frame number of a descriptor
}

type numbered struct {
	Received
	n int64
}

// arrived is a frame that was put together again.
type arrived struct {
	*Frame
	piece
	codec      Codec
	showing    int
	descriptor *descriptorRead
	body       []byte
	timestamp  uint32
}

// Receive takes the next packet.
func (r *Receiver) Receive(p Received) {
	p.Payload, p.Descriptor = bytes.Clone(p.Payload), bytes.Clone(p.Descriptor)
	n := r.highest + int64(int16(p.Seq-uint16(r.highest)))
	if len(r.packets) == 0 {
		n = int64(p.Seq)
	}
	r.highest = max(r.highest, n)
	r.packets = append(r.packets, numbered{p, n})
}

// Check says what is wrong with the stream, nil for nothing. It counts the frames that were complete.
func (r *Receiver) Check() (complete int, err error) {
	slices.SortStableFunc(r.packets, func(a, b numbered) int { return int(a.n - b.n) })
	r.frames = map[uint32]*arrived{}
	var open *arrived // frame that is being put together
	for i, p := range r.packets {
		if err := r.order(i); err != nil {
			return 0, err
		}
		if i > 0 && p.n != r.packets[i-1].n+1 {
			open = nil
		}
		if len(p.Payload) == 0 {
			if p.Marker {
				return 0, fmt.Errorf("packet %d has a marker and nothing else", p.n)
			}
			continue
		}
		if open, err = r.packet(&p, open); err != nil {
			return 0, fmt.Errorf("packet %d of codec %d, % x: %w", p.n, p.Codec, p.Payload, err)
		}
	}
	return len(r.frames), r.markers()
}

// order checks a packet against the one before.
func (r *Receiver) order(i int) error {
	if i == 0 {
		return nil
	}
	a, b := &r.packets[i-1], &r.packets[i]
	if a.n == b.n {
		return fmt.Errorf("sequence number %d is used twice", a.n)
	}
	if int32(b.Timestamp-a.Timestamp) < 0 {
		return fmt.Errorf("the timestamp goes back from packet %d to %d: %d, %d", a.n, b.n, a.Timestamp, b.Timestamp)
	}
	return nil
}

// packet adds a packet to the frame that is open.
func (r *Receiver) packet(p *numbered, open *arrived) (*arrived, error) {
	c := depacketize(p.Codec, p.Payload, p.Marker)
	if c == nil {
		return nil, fmt.Errorf("cannot be read")
	}
	var d *descriptorRead
	if len(p.Descriptor) > 0 {
		read, ok := r.read(p.Descriptor)
		if !ok {
			return nil, fmt.Errorf("the descriptor % x cannot be read", p.Descriptor)
		}
		d = &read
		// Parameter sets stand before the slice, as part of its frame.
		sets := p.Codec == H264 || p.Codec == H265
		if !c.aside && (c.begin != d.first && !sets || c.end != d.last) {
			return nil, fmt.Errorf("the descriptor % x says otherwise where the frame begins and ends", p.Descriptor)
		}
	}
	if c.aside {
		return nil, nil
	}
	if c.begin {
		open = &arrived{piece: *c, codec: p.Codec, showing: p.Showing, descriptor: d, timestamp: p.Timestamp}
	}
	if open == nil || open.timestamp != p.Timestamp || open.id != c.id {
		return nil, nil // the begin is lost
	}
	open.body = append(open.body, c.body...)
	if !c.end {
		return open, nil
	}
	return nil, r.frame(open)
}

// frame checks one that is complete.
func (r *Receiver) frame(a *arrived) error {
	if len(a.body) < 9 {
		return fmt.Errorf("a frame of %d bytes", len(a.body))
	}
	id := binary.BigEndian.Uint32(a.body[1:])
	if int(id) >= len(r.Truth.Frames) || !bytes.Equal(r.Truth.Frames[id].Body, a.body) {
		return fmt.Errorf("a frame that was never encoded: % x", a.body)
	}
	a.Frame = r.Truth.Frames[id]
	if have := r.frames[id]; have != nil && have.showing == a.showing {
		return fmt.Errorf("frame %d comes twice", id)
	}
	for _, ref := range a.Refs {
		if r.frames[ref] == nil && !r.Truth.Frames[ref].Damaged {
			return fmt.Errorf("frame %d of layer S%d T%d refers to %d of S%d T%d, which was not sent", id, a.Spatial, a.Temporal,
				ref, r.Truth.Frames[ref].Spatial, r.Truth.Frames[ref].Temporal)
		}
	}
	if err := r.pictures(a); err != nil {
		return err
	}
	if err := r.dependencies(a); err != nil {
		return err
	}
	r.frames[id], r.last = a, a
	return nil
}

// pictures checks the picture ids and TL0PICIDX.
func (r *Receiver) pictures(a *arrived) error {
	b := r.last
	if b == nil || a.idBits == 0 || b.idBits == 0 || a.codec != b.codec {
		return nil
	}
	size := uint16(1)<<a.idBits - 1
	step := (a.id - b.id) & size
	same := a.showing == b.showing
	switch {
	case a.idBits < b.idBits:
		return fmt.Errorf("the picture id has %d bits, after %d", a.idBits, b.idBits)
	case a.idBits > b.idBits:
		return nil
	case same && a.Group == b.Group && step != 0, (!same || a.Group != b.Group) && (step == 0 || step > size/2):
		return fmt.Errorf("the picture id goes on by %d from frame %d to %d", step, b.ID, a.ID)
	case same && a.codec == VP8 && step > 1 && !r.damagedBetween(b, a):
		return fmt.Errorf("the picture id jumps by %d from frame %d to %d, with nothing lost", step, b.ID, a.ID)
	case same && a.codec == VP9 && step != uint16(a.index-b.index)&size:
		return fmt.Errorf("the picture id goes on by %d, not %d, from frame %d to %d", step, a.index-b.index, b.ID, a.ID)
	case same && a.piece.tl0 >= 0 && byte(a.piece.tl0-b.piece.tl0) != a.Frame.tl0-b.Frame.tl0:
		return fmt.Errorf("TL0PICIDX is %d after %d from frame %d to %d", a.piece.tl0, b.piece.tl0, b.ID, a.ID)
	}
	for _, d := range a.diffs {
		if !slices.ContainsFunc(a.Refs, func(ref uint32) bool {
			f := r.Truth.Frames[ref]
			return f.Spatial == a.Spatial && (r.frames[ref] == nil && f.Damaged || r.frames[ref] != nil && (a.id-r.frames[ref].id)&size == uint16(d))
		}) {
			return fmt.Errorf("picture %d of frame %d does not refer to what lies %d before", a.id, a.ID, d)
		}
	}
	return nil
}

// damagedBetween says whether the source has frames from b to a of which packets were lost.
func (r *Receiver) damagedBetween(b, a *arrived) bool {
	for _, f := range r.Truth.Frames[b.ID:a.ID] {
		if f.Source == a.Source && f.Damaged {
			return true
		}
	}
	return false
}

// dependencies checks what the descriptor says of a frame.
func (r *Receiver) dependencies(a *arrived) error {
	d := a.descriptor
	if d == nil {
		return nil
	}
	if r.numbers != nil && int16(d.number-*r.numbers) <= 0 {
		return fmt.Errorf("frame number %d after %d", d.number, *r.numbers)
	}
	r.numbers = &d.number
	if len(d.diffs) != len(a.Refs) {
		return fmt.Errorf("frame %d refers to %v by its descriptor, not %v", a.ID, d.diffs, a.Refs)
	}
	for i, ref := range a.Refs {
		if have := r.frames[ref]; have != nil && have.descriptor.number != d.number-uint16(d.diffs[i]) {
			return fmt.Errorf("frame %d (number %d) refers to number %d, not %d", a.ID, d.number, d.number-uint16(d.diffs[i]), have.descriptor.number)
		}
	}
	if a.Damaged {
		return nil // what is active is told in the order in which packets were sent
	}
	for target, indication := range d.indications {
		if r.active>>target&1 == 1 && indication != notPresent {
			return nil
		}
	}
	return fmt.Errorf("frame %d of S%d T%d is not part of any active decode target (%b)", a.ID, a.Spatial, a.Temporal, r.active)
}

// markers checks that each picture ends with one, where all of it has arrived.
func (r *Receiver) markers() error {
	damaged := map[int]bool{}
	for _, f := range r.Truth.Frames {
		damaged[f.Group] = damaged[f.Group] || f.Damaged
	}
	at := map[uint32]*arrived{}
	for _, a := range r.frames {
		at[a.timestamp] = a
	}
	var before *numbered // newest with a payload
	for i := range r.packets {
		p := &r.packets[i]
		if len(p.Payload) == 0 {
			continue
		}
		if before != nil {
			a, b := at[before.Timestamp], at[p.Timestamp]
			same := before.Timestamp == p.Timestamp
			switch {
			case same && before.Marker:
				return fmt.Errorf("packet %d has a marker, but %d is of the same picture", before.n, p.n)
			case !same && !before.Marker && a != nil && b != nil && a.showing == b.showing && !damaged[a.Group]:
				return fmt.Errorf("packet %d ends a picture (S%d T%d) and has no marker", before.n, a.Spatial, a.Temporal)
			}
		}
		before = p
	}
	return nil
}

// Has says whether a frame was complete. It is for after Check.
func (r *Receiver) Has(f *Frame) bool { return r.frames[f.ID] != nil }
