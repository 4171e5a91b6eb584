package sfu

import "testing"

// TestStreamsBeginFarFromARollover makes many: a receiver that misses the first packets must not miss a rollover.
func TestStreamsBeginFarFromARollover(t *testing.T) {
	seen := map[uint16]bool{}
	for range 10_000 {
		n := firstNumber()
		if seen[n] = true; n >= 1<<15 {
			t.Fatalf("a stream begins with %d", n)
		}
	}
	if len(seen) < 5_000 {
		t.Errorf("%d numbers of 10,000 differ", len(seen))
	}
}
