// Package storetest is the contract of a store.Store, as tests.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
)

var at = time.UnixMilli(1_700_000_000_000)

// Subject is a store to be tested.
type Subject struct {
	// Open makes an empty store, which Run closes.
	Open func(t *testing.T) store.Store
	// Reopen closes the store and opens what it kept, as after a restart.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Damage changes a byte of a stored record (seq 0: of the snapshot).
	Damage func(t *testing.T, s store.Store, d store.Doc, seq uint64)
}

// Run runs all tests of the contract.
func Run(t *testing.T, subject Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"nothing is stored at first":            testEmpty,
		"records come back in order":            testOrder,
		"writes of many documents":              testManyDocs,
		"a record takes the place of another":   testOverwrite,
		"compaction in slices":                  testCompaction,
		"damage is reported and put aside":      testDamage,
		"a closed store says so":                testClosed,
		"random commands":                       testRandom,
		"what was acknowledged survives faults": testFaults,
	} {
		t.Run(name, func(t *testing.T) { test(t, subject) })
	}
}

func open(t *testing.T, subject Subject) store.Store {
	t.Helper()
	s := subject.Open(t)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustAppend(t *testing.T, s store.Store, writes ...store.Write) {
	t.Helper()
	if err := s.Append(writes); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s store.Store, d store.Doc) store.State {
	t.Helper()
	state, err := s.Load(d)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// contents of a state: "seq data", the snapshot first.
func contents(state store.State) []string {
	var c []string
	if state.Snapshot != nil {
		c = append(c, fmt.Sprintf("snapshot %d %s", state.Snapshot.Seq, state.Snapshot.Data))
	}
	for _, r := range state.Records {
		c = append(c, fmt.Sprintf("%d %s", r.Seq, r.Data))
	}
	return c
}

func want(t *testing.T, state store.State, lines ...string) {
	t.Helper()
	if !slices.Equal(contents(state), lines) {
		t.Fatalf("stored is %q, want %q", contents(state), lines)
	}
}

var notes = store.Doc{Room: "room", Name: "notes"}

func testEmpty(t *testing.T, subject Subject) {
	s := open(t, subject)
	state := load(t, s, notes)
	if state.Epoch != 0 || state.Last() != 0 || contents(state) != nil {
		t.Fatal(state)
	}
	if more, err := s.Compact(notes, record(3, "x"), 10); more || err != nil {
		t.Fatal(more, err)
	}
	if load(t, s, notes).Epoch != 0 {
		t.Fatal("compacting nothing made something")
	}
}

func testOrder(t *testing.T, subject Subject) {
	s := open(t, subject)
	for _, seq := range []uint64{2, 300, 1, 1 << 40} {
		mustAppend(t, s, store.Write{Doc: notes, Epoch: 7, Record: record(seq, fmt.Sprint("r", seq))})
	}
	s = subject.Reopen(t, s)
	state := load(t, s, notes)
	want(t, state, "1 r1", "2 r2", "300 r300", "1099511627776 r1099511627776")
	if state.Epoch != 7 || state.Last() != 1<<40 {
		t.Fatal(state.Epoch, state.Last())
	}
	if r := state.Records[0]; r.Subject != "alice" || !r.Time.Equal(at) || r.Kind != log.Update {
		t.Fatal(r)
	}
}

func testManyDocs(t *testing.T, subject Subject) {
	s := open(t, subject)
	docs := []store.Doc{{Room: "a", Name: "bc"}, {Room: "ab", Name: "c"}, {Room: "", Name: "abc"}, {Room: "ä\x00", Name: "\xff"}}
	for i, d := range docs {
		mustAppend(t, s, store.Write{Doc: d, Epoch: uint64(i) + 1, Record: record(1, d.Name)}, store.Write{Doc: notes, Epoch: 9, Record: record(uint64(i)+1, "n")})
	}
	s = subject.Reopen(t, s)
	for i, d := range docs {
		state := load(t, s, d)
		want(t, state, "1 "+d.Name)
		if state.Epoch != uint64(i)+1 {
			t.Fatal(state.Epoch)
		}
	}
	found := map[store.Doc]bool{}
	if err := s.Docs(func(d store.Doc) error { found[d] = true; return nil }); err != nil || len(found) != 5 || !found[docs[3]] {
		t.Fatal(found, err)
	}
	stop := errors.New("stop")
	if err := s.Docs(func(store.Doc) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

func testOverwrite(t *testing.T, subject Subject) {
	s := open(t, subject)
	mustAppend(t, s, store.Write{Doc: notes, Epoch: 1, Record: record(1, "old")})
	mustAppend(t, s, store.Write{Doc: notes, Epoch: 2, Record: record(1, "new")})
	state := load(t, s, notes)
	want(t, state, "1 new")
	if state.Epoch != 2 {
		t.Fatal(state.Epoch)
	}
}

func testCompaction(t *testing.T, subject Subject) {
	s := open(t, subject)
	for seq := uint64(1); seq <= 10; seq++ {
		mustAppend(t, s, store.Write{Doc: notes, Epoch: 1, Record: record(seq, "r")})
	}
	slices := 0
	for more := true; more; slices++ {
		var err error
		if more, err = s.Compact(notes, record(8, "eight"), 3); err != nil {
			t.Fatal(err)
		}
		want(t, load(t, s, notes), "snapshot 8 eight", "9 r", "10 r")
		s = subject.Reopen(t, s)
	}
	if slices != 3 {
		t.Fatalf("8 records by 3 in %d slices", slices)
	}
	if _, err := s.Compact(notes, record(9, "nine"), 10); err != nil {
		t.Fatal(err)
	}
	want(t, load(t, s, notes), "snapshot 9 nine", "10 r")
}

func testDamage(t *testing.T, subject Subject) {
	s := open(t, subject)
	for seq := uint64(1); seq <= 3; seq++ {
		mustAppend(t, s, store.Write{Doc: notes, Epoch: 1, Record: record(seq, "r")})
	}
	subject.Damage(t, s, notes, 2)
	s = subject.Reopen(t, s)
	state := load(t, s, notes)
	want(t, state, "1 r", "3 r")
	if len(state.Damaged) != 1 || state.Damaged[0].Seq != 2 || !errors.Is(state.Damaged[0].Err, log.ErrDamaged) {
		t.Fatal(state.Damaged)
	}
	if _, err := s.Compact(notes, record(3, "all"), 10); err != nil {
		t.Fatal(err)
	}
	state = load(t, s, notes)
	want(t, state, "snapshot 3 all")
	if len(state.Damaged) != 0 {
		t.Fatal("not put aside")
	}
	mustAppend(t, s, store.Write{Doc: notes, Epoch: 1, Record: record(4, "r")})
	subject.Damage(t, s, notes, 0)
	state = load(t, s, notes)
	want(t, state, "4 r")
	if len(state.Damaged) != 1 || state.Damaged[0].Seq != 0 {
		t.Fatal(state.Damaged)
	}
}

func testClosed(t *testing.T, subject Subject) {
	s := open(t, subject)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append([]store.Write{{Doc: notes, Epoch: 1, Record: record(1, "x")}}); !errors.Is(err, store.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := s.Load(notes); !errors.Is(err, store.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := s.Compact(notes, record(1, "x"), 1); !errors.Is(err, store.ErrClosed) {
		t.Fatal(err)
	}
	if err := s.Docs(func(store.Doc) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Fatal(err)
	}
}

// model is a store written in the most simple way.
type model map[store.Doc]map[uint64]string

func (m model) put(d store.Doc, seq uint64, data string) {
	if m[d] == nil {
		m[d] = map[uint64]string{}
	}
	m[d][seq] = data
}

func docN(n int) store.Doc { return store.Doc{Room: "r", Name: fmt.Sprint(n)} }

func testRandom(t *testing.T, subject Subject) {
	random := rand.New(rand.NewPCG(1, 2))
	s := open(t, subject)
	m, snapshots := model{}, map[store.Doc]uint64{}
	for step := range 300 {
		d := docN(random.IntN(3))
		switch random.IntN(8) {
		case 0:
			s = subject.Reopen(t, s)
		case 1:
			if len(m[d]) == 0 {
				continue
			}
			upTo := random.Uint64N(40)
			if upTo < snapshots[d] {
				continue
			}
			if _, err := s.Compact(d, record(upTo, "s"), random.IntN(5)); err != nil {
				t.Fatal(err)
			}
			snapshots[d] = upTo
		default:
			var writes []store.Write
			for range 1 + random.IntN(4) {
				d, seq := docN(random.IntN(3)), 1+random.Uint64N(50)
				data := fmt.Sprint(step, random.IntN(100))
				writes = append(writes, store.Write{Doc: d, Epoch: 1, Record: record(seq, data)})
				m.put(d, seq, data)
			}
			mustAppend(t, s, writes...)
		}
		checkModel(t, load(t, s, d), m[d], snapshots[d])
	}
}

func checkModel(t *testing.T, state store.State, records map[uint64]string, snapshot uint64) {
	t.Helper()
	var lines []string
	if snapshot > 0 {
		lines = append(lines, fmt.Sprintf("snapshot %d s", snapshot))
	}
	for _, seq := range slices.Sorted(maps.Keys(records)) {
		if seq > snapshot {
			lines = append(lines, fmt.Sprintf("%d %s", seq, records[seq]))
		}
	}
	if state.Snapshot != nil && state.Snapshot.Seq == 0 { // a snapshot of nothing
		state.Snapshot = nil
	}
	want(t, state, lines...)
}

// testFaults appends while faults are injected, repeating what failed, as the hub does.
func testFaults(t *testing.T, subject Subject) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		s := open(t, subject)
		faulty := &Faulty{
			Next:   func() Fault { return Fault(random.IntN(7)) },
			Damage: func(d store.Doc, seq uint64) { subject.Damage(t, s, d, seq) },
		}
		acknowledged := model{}
		for seq := uint64(1); seq <= 30; {
			faulty.Store = s
			writes := []store.Write{
				{Doc: docN(0), Epoch: 1, Record: record(seq, "x")},
				{Doc: docN(1), Epoch: 1, Record: record(seq, "y")},
			}
			if faulty.Append(writes) == nil {
				acknowledged.put(docN(0), seq, "x")
				acknowledged.put(docN(1), seq, "y")
				seq++
			}
			if random.IntN(5) == 0 {
				s = subject.Reopen(t, s)
			}
			for n := range 2 {
				checkAcknowledged(t, load(t, s, docN(n)), acknowledged[docN(n)])
			}
		}
	}
}

func checkAcknowledged(t *testing.T, state store.State, records map[uint64]string) {
	t.Helper()
	found := map[uint64][]byte{}
	for _, r := range state.Records {
		found[r.Seq] = r.Data
	}
	for seq, data := range records {
		if !bytes.Equal(found[seq], []byte(data)) {
			t.Fatalf("record %d was acknowledged and is %q", seq, found[seq])
		}
	}
}
