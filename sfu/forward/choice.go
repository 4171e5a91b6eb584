package forward

import "time"

// Times of a Choice.
const (
	measured = 500 * time.Millisecond // over which bytes are counted
	silent   = 1 * time.Second        // without a packet: the layer has stopped
	maxLayer = 4                      // simulcast layers of one publication; more are not considered
)

// Choice finds the layer of a simulcast publication that everyone gets: the one with the highest bitrate among those that
// arrive. A layer must have a fifth more than the one in use to replace it, and one that is silent for a second is replaced by
// the best of the others. The zero value has chosen none.
type Choice struct {
	layers [maxLayer]rate
	best   SourceID
}

type rate struct {
	source SourceID
	last   time.Time // newest packet
	since  time.Time // begin of the present interval
	bytes  int       // in the present interval
	rate   int       // bytes a second in the last full interval, 0 before the first
}

// Observe counts a packet and returns the layer to forward.
func (c *Choice) Observe(now time.Time, source SourceID, bytes int) SourceID {
	l := c.find(source)
	if l == nil {
		if l = c.place(now); l == nil {
			return c.best
		}
		*l = rate{source: source, since: now}
	}
	l.last = now
	l.bytes += bytes
	if c.best == 0 {
		c.best = source
	}
	full := now.Sub(l.since) >= measured
	if full {
		l.rate = int(float64(l.bytes) / now.Sub(l.since).Seconds())
		l.bytes, l.since = 0, now
	}
	if best := c.find(c.best); full || best == nil || now.Sub(best.last) >= silent {
		c.choose(now)
	}
	return c.best
}

// choose picks the layer with the highest rate, with an advantage for the present one while it sends.
func (c *Choice) choose(now time.Time) {
	best := c.find(c.best)
	if best != nil && now.Sub(best.last) >= silent {
		best = nil
	}
	if best != nil && best.rate == 0 {
		return // not measured yet
	}
	for i := range c.layers {
		l := &c.layers[i]
		if l.source == 0 || l == best || now.Sub(l.last) >= silent {
			continue
		}
		if best == nil || 5*l.rate > 6*best.rate {
			best = l
		}
	}
	if best != nil {
		c.best = best.source
	}
}

func (c *Choice) find(source SourceID) *rate {
	for i := range c.layers {
		if l := &c.layers[i]; l.source == source {
			return l
		}
	}
	return nil
}

// place returns where a new layer can stand: a free place, or that of a layer that has stopped.
func (c *Choice) place(now time.Time) *rate {
	for i := range c.layers {
		if l := &c.layers[i]; l.source == 0 || now.Sub(l.last) >= silent {
			return l
		}
	}
	return nil
}
