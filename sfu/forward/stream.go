package forward

import (
	"github.com/turnout-rtc/turnout/sfu/codec"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// stream is the part of a source's packets that a slot sends, from one switch to the next.
//
// What every packet needs stands first: between two frames it has left the processor's cache.
type stream struct {
	manner    *manner
	begins    manner   // the first one, to which manner points until there is another: it lies beside the rest
	decoder   *decoder // nil until a dependency descriptor comes
	numbers   ranges
	tsDelta   uint32
	first     uint32       // timestamp it began with, as sent
	clock     report.Clock // of the newest packet
	begun     bool         // a packet was sent
	delays    bool         // the source has sent a playout delay
	described bool         // frame numbers and templates have their shift
	highest   uint8        // spatial layer seen
	pictures
	selector selector
}

// manner is how packets of a source are sent for a while. It is replaced, never changed: packets sent before refer to it.
type manner struct {
	Format
	structure *codec.Structure // that descriptors are read with
	shift     codec.Shift      // of descriptors
}

// newStream sends the packet first of a source as out.
func newStream(f *Format, first, out uint64) *stream {
	s := &stream{begins: manner{Format: *f}, numbers: newRanges(first, out)}
	s.manner = &s.begins
	return s
}

// wanted says whether a packet is within the target, and whether its frame is the last of its picture that is.
func (c *stream) wanted(in *In, target codec.Layer) (wanted, last bool) {
	switch {
	case len(in.Payload) == 0 || !c.manner.Codec.Video():
		return true, false
	case in.Structure != nil:
		if c.decoder == nil {
			c.decoder = &decoder{target: -1}
		}
		return c.decoder.wanted(in, target)
	case c.decoder != nil:
		// Its descriptor cannot be read, because that with the structure is lost. It may well be needed.
		return true, false
	}
	c.highest = max(c.highest, in.Frame.Layer.Spatial)
	return c.selector.wanted(in, target)
}

func (c *stream) keyNeeded(target codec.Layer) bool {
	if c.decoder != nil {
		return c.decoder.keyNeeded(target)
	}
	return c.selector.keyNeeded(target, c.highest)
}

// mannerOf returns how in is sent. In steady state it is always the same.
func (c *stream) mannerOf(r *Rewriter, in *In) *manner {
	if in.Structure == nil || c.decoder == nil {
		return c.manner
	}
	m := *c.manner
	m.structure = in.Structure
	if !c.described {
		m.shift.Frame = r.frame + 1 - in.Descriptor.FrameNumber
		m.shift.Template = r.template - in.Structure.Offset()
		c.described = true
	}
	m.shift.Active = c.decoder.maskOf(in.Descriptor.FrameNumber)
	if out := in.Descriptor.FrameNumber + m.shift.Frame; int16(out-r.frame) > 0 {
		r.frame = out
	}
	if m == *c.manner {
		return c.manner
	}
	if !in.Newer {
		return m.copy()
	}
	r.template = in.Structure.Offset() + m.shift.Template + uint8(in.Structure.Templates())
	c.manner = m.copy()
	return c.manner
}

// copy is apart, so that only what is kept is allocated.
func (m manner) copy() *manner { return &m }
