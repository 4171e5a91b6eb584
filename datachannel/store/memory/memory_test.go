package memory

import (
	"testing"

	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Subject{
		Open:   func(*testing.T) store.Store { return New() },
		Reopen: func(_ *testing.T, s store.Store) store.Store { return s },
		Damage: func(t *testing.T, s store.Store, d store.Doc, seq uint64) {
			if !s.(*Store).Damage(d, seq) {
				t.Fatal("nothing to damage")
			}
		},
	})
}
