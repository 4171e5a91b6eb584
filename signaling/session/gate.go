package session

import "time"

// Costs of messages at a Gate.
const (
	CostMessage    = 1
	CostUnreadable = 10
)

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
