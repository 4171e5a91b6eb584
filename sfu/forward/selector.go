package forward

import "github.com/turnout-rtc/turnout/sfu/codec"

// Selector decides which layers within one stream (temporal layers, and spatial ones of SVC) a subscriber gets. It never
// forwards a frame whose references it has left out: going down takes effect with the next frame, going up waits for one
// from which decoding can begin. The zero value forwards the lowest layer.
type Selector struct {
	target  codec.Layer
	current codec.Layer
	started bool
}

// SetTarget sets the highest layer wanted.
func (s *Selector) SetTarget(l codec.Layer) { s.target = l }

// Restart begins anew with the next key frame, for another source.
func (s *Selector) Restart() { s.started = false }

// Current is the highest layer that is forwarded.
func (s *Selector) Current() codec.Layer { return s.current }

// Wanted says whether a packet of f is forwarded. Packets must be given in order; the answer for a late one is a guess, which
// is right unless the layer has changed in between.
func (s *Selector) Wanted(f codec.Frame) bool {
	if f.Begin {
		s.begin(f)
	}
	return s.started && f.Layer.Spatial <= s.current.Spatial && f.Layer.Temporal <= s.current.Temporal
}

// Last says whether f ends the picture for the receiver: the highest spatial layer that is forwarded. Its last packet needs
// the RTP marker (RFC 9628 §4.1).
func (s *Selector) Last(f codec.Frame) bool {
	return f.End && f.Layer.Spatial == s.current.Spatial
}

// begin changes layers at the first packet of a frame.
func (s *Selector) begin(f codec.Frame) {
	lowest := f.Layer.Spatial == 0
	switch {
	case f.Key && lowest:
		// The picture needs nothing from before: every temporal layer can begin. Higher spatial layers begin with their own
		// frame of this picture, if it has one.
		s.started = true
		s.current = codec.Layer{Temporal: s.target.Temporal}
	case lowest && s.current.Temporal > s.target.Temporal:
		s.current.Temporal = s.target.Temporal
	case lowest && f.Sync && f.Layer.Temporal == s.current.Temporal+1 && f.Layer.Temporal <= s.target.Temporal:
		s.current.Temporal = f.Layer.Temporal
	}
	switch {
	case lowest && s.current.Spatial > s.target.Spatial:
		s.current.Spatial = s.target.Spatial
	case f.Alone && f.Layer.Spatial == s.current.Spatial+1 && f.Layer.Spatial <= s.target.Spatial:
		s.current.Spatial = f.Layer.Spatial
	}
}
