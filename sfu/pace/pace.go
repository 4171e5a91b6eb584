// Package pace decides how fast what was not just received is sent: repeats of old packets, which would otherwise leave at once
// and overflow a queue on the way.
//
// A Bucket spreads bytes over time. A Budget limits bytes to a share of what is sent anyway.
//
// It does no I/O, starts no goroutine and never reads the clock.
package pace

import "time"

// Bucket lets Rate bytes a second pass, and Burst of them at once. Both must be set.
type Bucket struct {
	Rate  int // bytes a second
	Burst int // bytes

	debt int // bytes that have passed and are not paid for
	at   time.Time
}

// Take lets n bytes pass, if they may. One packet always may when nothing has passed lately, however large.
func (b *Bucket) Take(now time.Time, n int) bool {
	b.pay(now)
	if b.debt > 0 && b.debt+n > b.Burst {
		return false
	}
	b.debt += n
	return true
}

// Next is when n bytes may pass.
func (b *Bucket) Next(now time.Time, n int) time.Time {
	b.pay(now)
	over := b.debt
	if n <= b.Burst {
		over = b.debt + n - b.Burst
	}
	if over <= 0 {
		return now
	}
	return now.Add(time.Duration(float64(over)/float64(b.Rate)*float64(time.Second)) + time.Microsecond)
}

func (b *Bucket) pay(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		paid := int(min(d.Seconds(), time.Minute.Seconds()) * float64(b.Rate))
		if paid == 0 && b.debt > 0 {
			return // less than a byte: time goes on counting
		}
		b.debt, b.at = max(b.debt-paid, 0), now
	}
}

// Budget is a share of what is sent, and a floor that is there in any case. At most one second of the floor and reserve of the
// share are saved up.
type Budget struct {
	Percent int // of what is sent
	Floor   int // bytes a second

	credit int // bytes
	at     time.Time
}

// reserve is how much of a share is saved up at most: what a second of 4 Mbit/s has.
const reserve = 500_000

// Sent says that n bytes were sent.
func (b *Budget) Sent(n int) { b.credit = min(b.credit+n*b.Percent/100, b.Floor+reserve) }

// Spend takes n bytes, if there are so many.
func (b *Budget) Spend(now time.Time, n int) bool {
	if b.at.IsZero() {
		b.at, b.credit = now, b.credit+b.Floor
	}
	if d := now.Sub(b.at); d > 0 {
		if more := int(min(d.Seconds(), 1) * float64(b.Floor)); more > 0 {
			b.at, b.credit = now, min(b.credit+more, max(b.credit, b.Floor))
		}
	}
	if b.credit < n {
		return false
	}
	b.credit -= n
	return true
}
