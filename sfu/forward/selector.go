package forward

import "github.com/turnout-rtc/turnout/sfu/codec"

// remembered is how many pictures back a late packet is treated as its picture was: half a second at 60 pictures a second.
const remembered = 32

// selector decides which layers within one stream (temporal layers, and spatial ones of SVC) are forwarded, by what payloads
// tell. It never forwards a frame whose references it has left out: going down takes effect with the next picture, going up in
// time waits for a picture that allows it, going up in space for a key frame. The zero value forwards nothing but the lowest
// layer until a key frame comes.
type selector struct {
	current  codec.Layer // highest that is forwarded
	newest   decided     // the last of pictures once more
	count    int         // pictures so far
	pictures [remembered]decided
}

// decided says what is forwarded of a picture.
type decided struct {
	timestamp uint32
	layers    codec.Layer // highest
}

// wanted says whether a packet is forwarded, and whether its frame ends the picture for the receiver: the packet then needs
// the RTP marker (RFC 9628 §4.1).
func (s *selector) wanted(in *In, target codec.Layer) (wanted, last bool) {
	layers := s.layers(in, target)
	l := in.Frame.Layer
	wanted = l.Spatial <= layers.Spatial && l.Temporal <= layers.Temporal
	return wanted, in.Frame.End && l.Spatial == layers.Spatial
}

// layers are the highest that are forwarded of the picture that in belongs to.
func (s *selector) layers(in *In, target codec.Layer) codec.Layer {
	if s.count > 0 && s.newest.timestamp == in.Timestamp {
		return s.newest.layers
	}
	if !in.Newer {
		return s.late(in.Timestamp)
	}
	s.move(in.Frame, target)
	s.newest = decided{in.Timestamp, s.current}
	s.pictures[s.count%remembered] = s.newest
	s.count++
	return s.current
}

// late finds what was decided of an earlier picture, or of the one before it.
func (s *selector) late(timestamp uint32) codec.Layer {
	for i := s.count - 1; i >= max(0, s.count-remembered); i-- {
		if d := &s.pictures[i%remembered]; int32(timestamp-d.timestamp) >= 0 {
			return d.layers
		}
	}
	return codec.Layer{}
}

// move changes layers at the first packet of a picture.
func (s *selector) move(f codec.Frame, target codec.Layer) {
	if f.Key && f.Layer.Spatial == 0 {
		// It needs nothing from before, and neither does what follows.
		s.current = target
		return
	}
	s.current.Spatial = min(s.current.Spatial, target.Spatial)
	s.current.Temporal = min(s.current.Temporal, target.Temporal)
	if t := f.Layer.Temporal; f.Sync && t == s.current.Temporal+1 && t <= target.Temporal {
		s.current.Temporal = t
	}
	if f.Up && f.Layer.Temporal <= s.current.Temporal {
		s.current.Temporal = target.Temporal
	}
}

// keyNeeded says whether the target can only be reached with a key frame.
func (s *selector) keyNeeded(target codec.Layer, highest uint8) bool {
	return min(target.Spatial, highest) > s.current.Spatial
}
