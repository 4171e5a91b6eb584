package forward

import "github.com/turnout-rtc/turnout/sfu/codec"

// frameMemory is how many frames of a stream with dependency descriptors are remembered: 2 s of 3 spatial layers at 30
// pictures a second, and more than any encoder refers back.
const frameMemory = 256

// decoder follows the dependency descriptors of one source: it knows which decode target a receiver gets and which frames it
// was sent, and forwards a frame only when everything it refers to was.
type decoder struct {
	structure *codec.Structure
	active    uint32 // decode targets that the encoder produces, as a bit mask
	target    int    // that is forwarded, -1 for none
	explicit  bool   // the receiver was told of fewer targets since the structure came, and must be told of more

	timestamp uint32 // of the newest picture
	begun     bool   // timestamp is set
	frames    [frameMemory]frame
}

// frame is what is known of a frame.
type frame struct {
	number uint16
	state  frameState
	top    bool   // it is of the highest spatial layer that is forwarded
	mask   uint32 // for its descriptors, see maskOf
}

type frameState uint8

const (
	unseen frameState = iota
	needed            // a frame that was sent refers to it
	sent
	left // out
)

// wanted says whether a packet is forwarded, and whether its frame ends the picture for the receiver.
func (t *decoder) wanted(in *In, highest codec.Layer) (wanted, last bool) {
	d := &in.Descriptor
	if in.Newer {
		t.follow(in)
	}
	if t.structure == nil {
		return false, false
	}
	if in.Newer && (!t.begun || in.Timestamp != t.timestamp) {
		t.timestamp, t.begun = in.Timestamp, true
		t.move(d, highest)
	}
	f := &t.frames[d.FrameNumber%frameMemory]
	if f.number != d.FrameNumber {
		*f = frame{number: d.FrameNumber}
	}
	if f.state < sent {
		f.state = t.decide(in, f.state == needed)
		if in.Newer { // to what comes late, what is active now does not apply
			f.mask = t.mask()
			f.top = t.target >= 0 && d.Layer.Spatial == t.structure.TargetLayer(t.target).Spatial
		}
	}
	return f.state == sent, d.End && f.top
}

// follow takes over a new structure and a new set of active decode targets.
func (t *decoder) follow(in *In) {
	if in.Structure != t.structure {
		t.structure, t.explicit = in.Structure, false
		t.active = 1<<in.Structure.Targets() - 1
		t.target = min(t.target, in.Structure.Targets()-1)
	}
	if in.Descriptor.HasActive {
		t.active = in.Descriptor.Active
	}
}

// decide about a frame that comes for the first time, and note what it refers to. What comes so late that there is another
// structure by now is sent only when something that was sent needs it.
func (t *decoder) decide(in *In, isNeeded bool) frameState {
	d := &in.Descriptor
	present := t.target >= 0 && in.Structure == t.structure && d.Indication(t.target) != codec.NotPresent
	if !present && !isNeeded || !t.complete(d) {
		return left
	}
	for _, diff := range d.References() {
		number := d.FrameNumber - diff
		if f := &t.frames[number%frameMemory]; diff < frameMemory && f.number != number {
			*f = frame{number: number, state: needed}
		}
	}
	return sent
}

// complete says whether nothing that a frame refers to was left out. What has not arrived may still come.
func (t *decoder) complete(d *codec.Descriptor) bool {
	for _, diff := range d.References() {
		number := d.FrameNumber - diff
		if f := &t.frames[number%frameMemory]; diff < frameMemory && f.number == number && f.state == left {
			return false
		}
	}
	return true
}

// move changes the decode target at the first packet of a picture: to one that is part of the present one at any time, to
// another where a frame says that decoding of it can begin.
func (t *decoder) move(d *codec.Descriptor, highest codec.Layer) {
	best := -1
	for i := range t.structure.Targets() {
		possible := i == t.target || t.target >= 0 && t.structure.Within(t.target)>>i&1 != 0 ||
			d.Indication(i) == codec.Switch && t.complete(d)
		if possible && t.allowed(i, highest) && (best < 0 || higher(t.structure.TargetLayer(i), t.structure.TargetLayer(best))) {
			best = i
		}
	}
	if best >= 0 {
		t.target = best
	}
}

// allowed says whether a decode target is produced and not above highest.
func (t *decoder) allowed(target int, highest codec.Layer) bool {
	l := t.structure.TargetLayer(target)
	return t.active>>target&1 != 0 && l.Spatial <= highest.Spatial && l.Temporal <= highest.Temporal
}

func higher(a, b codec.Layer) bool {
	return a.Spatial > b.Spatial || a.Spatial == b.Spatial && a.Temporal > b.Temporal
}

// keyNeeded says whether what is allowed is in another spatial layer than what is forwarded. Only a key frame is sure to lead
// there.
func (t *decoder) keyNeeded(highest codec.Layer) bool {
	if t.structure == nil {
		return true
	}
	best := -1
	for i := range t.structure.Targets() {
		if t.allowed(i, highest) && (best < 0 || higher(t.structure.TargetLayer(i), t.structure.TargetLayer(best))) {
			best = i
		}
	}
	return best >= 0 && (t.target < 0 || t.structure.TargetLayer(best).Spatial != t.structure.TargetLayer(t.target).Spatial)
}

// maskOf is what the descriptors of a frame that was sent are to say of active decode targets, 0 for what the encoder says.
func (t *decoder) maskOf(number uint16) uint32 { return t.frames[number%frameMemory].mask }

func (t *decoder) mask() uint32 {
	if t.target < 0 {
		return 0
	}
	mask := t.structure.Within(t.target) & t.active
	t.explicit = t.explicit || mask != t.active
	if !t.explicit {
		return 0
	}
	return mask
}
