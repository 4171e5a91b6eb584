package datachannel

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestTheAgendaIsWhatTheModelSays sets, moves and removes appointments at random; a map says what is due.
func TestTheAgendaIsWhatTheModelSays(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 3))
		var a agenda
		var members [20]Member
		model := map[*Member]time.Time{}
		now := time.Unix(1000, 0)
		for range 500 {
			m := &members[random.IntN(len(members))]
			switch random.IntN(4) {
			case 0:
				a.remove(m)
				delete(model, m)
			case 1:
				now = now.Add(time.Duration(random.IntN(20)) * time.Millisecond)
				a.ripe(now)
				a.looked(func(m *Member) (time.Time, bool) {
					if at, ok := model[m]; !ok || at.After(now) {
						t.Fatal("looked at before its time")
					}
					delete(model, m)
					return time.Time{}, false
				})
			default:
				at := now.Add(time.Duration(random.IntN(100)) * time.Millisecond)
				a.mark(m)
				a.mark(m)
				calls := 0
				a.looked(func(*Member) (time.Time, bool) { calls++; return at, true })
				if calls != 1 {
					t.Fatalf("looked at %d times", calls)
				}
				model[m] = at
			}
			at, ok := a.due()
			if ok != (len(model) > 0) || len(a.later) != len(model) {
				t.Fatalf("seed %d: %d in the agenda, want %d", seed, len(a.later), len(model))
			}
			for m, want := range model {
				if want.Before(at) || !m.next.at.Equal(want) {
					t.Fatalf("seed %d: the next is due at %v, and one at %v", seed, at, want)
				}
			}
		}
	}
}
