package forward

import "time"

// Times of a Choice.
const (
	measured = 500 * time.Millisecond // over which bytes are counted
	silent   = 1 * time.Second        // without a packet: the layer has stopped
	maxLayer = 4                      // simulcast layers of one publication; more are not considered
)

// Choice puts the layers of a simulcast publication into order by their bitrate. Two change places when one has a fifth more
// than the one above it. A layer that is silent for a second keeps its place, but does not count as arriving. The zero value
// knows none.
type Choice struct {
	layers [maxLayer]rate // lowest first
	count  int
}

type rate struct {
	source SourceID
	last   time.Time // newest packet
	since  time.Time // begin of the present interval
	bytes  int       // in the present interval
	rate   int       // bytes a second in the last full interval, 0 before the first
}

// Ranking is the order of the layers of a publication. It is a value that can be compared.
type Ranking struct {
	layers [maxLayer]struct {
		source  SourceID
		arrives bool
	}
	count int
}

// Top as a spatial layer is the highest there is.
const Top = 255

// For returns the layer to show to who wants the given one, counted from 0 for the lowest: that layer, if it arrives, or the
// next lower one that does, or the next higher one; 0 when there is none.
func (k *Ranking) For(spatial uint8) SourceID {
	at := min(int(spatial), k.count-1)
	for i := at; i >= 0; i-- {
		if k.layers[i].arrives {
			return k.layers[i].source
		}
	}
	for i := at + 1; i < k.count; i++ {
		if k.layers[i].arrives {
			return k.layers[i].source
		}
	}
	return 0
}

// Observe counts a packet and returns the order.
func (c *Choice) Observe(now time.Time, source SourceID, bytes int) Ranking {
	i := c.find(source)
	if i < 0 {
		if i = c.place(now); i < 0 {
			return c.ranking(now)
		}
		c.layers[i] = rate{source: source, since: now}
	}
	l := &c.layers[i]
	l.last = now
	l.bytes += bytes
	if d := now.Sub(l.since); d >= measured {
		l.rate = int(float64(l.bytes) / d.Seconds())
		l.bytes, l.since = 0, now
		c.sort()
	}
	return c.ranking(now)
}

// For returns the layer to show to who wants the given one, see Ranking, as of the newest packet: of a screen on which nothing moves
// nothing may come for long. It is 0 before the first.
func (c *Choice) For(spatial uint8) SourceID {
	var newest time.Time
	for i := range c.count {
		if l := &c.layers[i]; l.last.After(newest) {
			newest = l.last
		}
	}
	k := c.ranking(newest)
	return k.For(spatial)
}

// Forget removes a layer that has ended.
func (c *Choice) Forget(source SourceID) {
	if i := c.find(source); i >= 0 {
		copy(c.layers[i:], c.layers[i+1:c.count])
		c.count--
		c.layers[c.count] = rate{}
	}
}

// sort moves layers to where their rate belongs. One that was not measured yet stays where it is.
func (c *Choice) sort() {
	for range c.count {
		for i := 1; i < c.count; i++ {
			if a, b := &c.layers[i-1], &c.layers[i]; b.rate > 0 && 5*a.rate > 6*b.rate {
				*a, *b = *b, *a
			}
		}
	}
}

func (c *Choice) find(source SourceID) int {
	for i := range c.count {
		if c.layers[i].source == source {
			return i
		}
	}
	return -1
}

// place returns where a new layer can stand: at the bottom, so that nobody switches to it before it was measured. When there
// are too many it is the place of one that has stopped, or -1 for none.
func (c *Choice) place(now time.Time) int {
	if c.count == maxLayer {
		for i := range c.layers {
			if now.Sub(c.layers[i].last) >= silent {
				return i
			}
		}
		return -1
	}
	copy(c.layers[1:], c.layers[:c.count])
	c.count++
	return 0
}

func (c *Choice) ranking(now time.Time) Ranking {
	k := Ranking{count: c.count}
	for i := range c.count {
		k.layers[i].source = c.layers[i].source
		k.layers[i].arrives = now.Sub(c.layers[i].last) < silent
	}
	return k
}
