package packet

// unwrapStart leaves room below the first number for packets that were sent before it and arrive after it.
const unwrapStart = 1 << 16

// Unwrapper turns sequence numbers that wrap at 2^16 into numbers that never do. The zero value is ready.
type Unwrapper struct {
	highest uint64
	started bool
}

// Unwrap returns the number closest to the highest so far that is seq modulo 2^16. It is never 0.
func (u *Unwrapper) Unwrap(seq uint16) uint64 {
	if !u.started {
		u.started, u.highest = true, unwrapStart+uint64(seq)
		return u.highest
	}
	diff := int16(seq - uint16(u.highest)) //nolint:gosec // modulo 2^16 on purpose
	n := u.highest + uint64(int64(diff))   //nolint:gosec // highest is at least 2^16, the sum is positive
	if diff > 0 {
		u.highest = n
	}
	return n
}

// WindowSize is how far behind the newest packet an old one may arrive: 4 s of video at 500 packets a second.
const WindowSize = 2048

// Verdict of a Window.
type Verdict uint8

// What a Window says about a packet.
const (
	Fresh     Verdict = iota // not seen before
	Duplicate                // seen before
	TooOld                   // too far behind to know
)

// Window remembers which of the newest WindowSize sequence numbers were seen. The zero value is ready.
type Window struct {
	highest uint64
	seen    [WindowSize / 64]uint64
}

// Check records n, an unwrapped sequence number, and says whether it is new.
func (w *Window) Check(n uint64) Verdict {
	if n > w.highest {
		w.forget(n)
		w.highest = n
	} else if w.highest-n >= WindowSize {
		return TooOld
	}
	word, bit := &w.seen[n%WindowSize/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return Duplicate
	}
	*word |= bit
	return Fresh
}

// forget clears the places of the numbers above highest up to n.
func (w *Window) forget(n uint64) {
	if n-w.highest >= WindowSize {
		w.seen = [WindowSize / 64]uint64{}
		return
	}
	for i := w.highest + 1; i <= n; i++ {
		w.seen[i%WindowSize/64] &^= 1 << (i % 64)
	}
}
