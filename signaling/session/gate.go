package session

import "time"

// costUnreadable is the least that a message costs that cannot be read.
const costUnreadable = 10

// costBytes is the size of which one costs as much as a message more: what is said to a room is sent to everybody in it.
const costBytes = 4096

// Cost of a message of so many bytes, in messages.
func Cost(size int, readable bool) int {
	cost := 1 + size/costBytes
	if readable {
		return cost
	}
	return max(cost, costUnreadable)
}

// MaxRefusals is how many refusals in a row are a flood.
const MaxRefusals = 100

// Verdict of a Gate.
type Verdict int

// The verdicts.
const (
	Pass Verdict = iota
	Refuse
	Flood
)

// Gate is a token bucket. After a refusal it refuses until one second's worth has gathered: who keeps sending at twice the
// rate never gets there, and is a flood.
type Gate struct {
	rate, burst float64
	tokens      float64
	last        time.Time
	closed      bool
	refusals    int
}

// Take lets a message of a cost through, or not.
func (g *Gate) Take(now time.Time, cost int) Verdict {
	if elapsed := now.Sub(g.last); elapsed > 0 {
		g.tokens = min(g.burst, g.tokens+elapsed.Seconds()*g.rate)
		g.last = now
	}
	need := float64(cost)
	if g.closed {
		need = max(need, min(g.rate, g.burst))
	}
	if g.tokens >= min(need, g.burst) { // a cost above the whole burst takes all there is
		g.tokens = max(0, g.tokens-float64(cost))
		g.closed, g.refusals = false, 0
		return Pass
	}
	g.closed = true
	if g.refusals++; g.refusals >= MaxRefusals {
		return Flood
	}
	return Refuse
}
