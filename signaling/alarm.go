package signaling

import "time"

// alarm rings at the earliest of the times it was set to. It is owned by one goroutine, which calls rang for each ring and
// sets it anew for what is still to come.
type alarm struct {
	timer *time.Timer
	at    time.Time // zero: not set
}

func newAlarm() alarm {
	a := alarm{timer: time.NewTimer(time.Hour)}
	a.timer.Stop()
	return a
}

// set makes it ring at t, or earlier.
func (a *alarm) set(t time.Time) {
	if a.at.IsZero() || t.Before(a.at) {
		a.at = t
		a.timer.Reset(time.Until(t))
	}
}

func (a *alarm) rang() { a.at = time.Time{} }

// passed says whether t is set and over. If it is still to come, the alarm is set for it.
func (a *alarm) passed(now, t time.Time) bool {
	if t.IsZero() {
		return false
	}
	if now.Before(t) {
		a.set(t)
		return false
	}
	return true
}
