package hocuspocus

import (
	"math/rand/v2"
	"testing"
)

func TestWhatWasRefusedIsAcknowledgedWithTheAnswerThatBringsIt(t *testing.T) {
	var l ledger
	l.vector(true)
	if n := l.worth(change(1<<1 | answers)); n != 1 {
		t.Errorf("the first answer is worth %d", n)
	}
	for i := range change(3) {
		l.again(i << 1)
	}
	l.vector(false)
	if n := l.worth(change(9<<1 | answers)); n != 3 {
		t.Errorf("the answer after three refusals is worth %d", n)
	}
	l.vector(false)
	if n := l.worth(change(9<<1 | answers)); n != 0 {
		t.Errorf("an answer that brings nothing is worth %d", n)
	}
}

// TestTheClientsCountComesToZero plays a stock client, whose changes are refused now and then, against the ledger.
func TestTheClientsCountComesToZero(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var l ledger
		unsynced := 1
		l.vector(true)
		var inFlight []change
		inFlight = append(inFlight, answers)
		asking := false
		for range random.IntN(50) {
			switch random.IntN(3) {
			case 0: // the client types
				unsynced++
				inFlight = append(inFlight, 2<<1)
			case 1: // the server answers the oldest
				if len(inFlight) == 0 {
					continue
				}
				c := inFlight[0]
				inFlight = inFlight[1:]
				if random.IntN(4) == 0 {
					l.again(c)
					asking = true
				} else {
					unsynced -= l.worth(c)
				}
			case 2:
				if asking {
					l.vector(false)
					inFlight = append(inFlight, answers)
					asking = false
				}
			}
			if unsynced < 0 {
				t.Fatal("acknowledged more than there was")
			}
		}
		for len(inFlight) > 0 {
			unsynced -= l.worth(inFlight[0])
			inFlight = inFlight[1:]
		}
		if asking {
			l.vector(false)
			unsynced -= l.worth(answers)
		}
		if unsynced != 0 {
			t.Fatalf("%d remain", unsynced)
		}
	}
}
