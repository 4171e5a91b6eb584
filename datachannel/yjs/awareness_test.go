package yjs

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func newAwareness() *Awareness {
	return NewAwareness(AwarenessLimits{StateBytes: 100, PerOwner: 3, Keep: time.Minute})
}

func speaker(owner string) Speaker { return Speaker{Owner: owner, Via: uint64(owner[0])} }

func entry(client, clock uint64, state string) awarenessEntry {
	return awarenessEntry{client, clock, []byte(state)}
}

func say(t *testing.T, a *Awareness, owner string, entries ...awarenessEntry) AwarenessResult {
	t.Helper()
	res, err := a.Apply(start, speaker(owner), encodeAwareness(entries))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestAwarenessIsBoundToItsOwner(t *testing.T) {
	a := newAwareness()
	if res := say(t, a, "alice", entry(1, 5, `{"x":1}`)); res.Relay == nil {
		t.Fatal("refused", res)
	}
	for name, e := range map[string]awarenessEntry{
		"another state": entry(1, 6, `{"x":2}`), "removal": entry(1, 6, "null"),
	} {
		if res := say(t, a, "bob", e); res.Relay != nil || res.Foreign != 1 {
			t.Fatal(name, res)
		}
	}
	for name, e := range map[string]awarenessEntry{
		"echo": entry(1, 5, `{"x":1}`), "echo of before": entry(1, 4, `{}`),
		"late removal after a sleep": entry(1, 5, "null"), "removal of nobody": entry(9, 1, "null"),
	} {
		if res := say(t, a, "bob", e); res.Relay != nil || res.Echoes != 1 || res.Foreign != 0 {
			t.Fatal(name, res)
		}
	}
	if !bytes.Contains(a.All(), []byte(`{"x":1}`)) {
		t.Fatal("changed")
	}
	if res := say(t, a, "alice", entry(1, 5, "null")); res.Relay == nil || a.Len() != 0 {
		t.Fatal("one cannot remove oneself", res)
	}
}

func TestRemovedClientStaysItsOwnersForAWhile(t *testing.T) {
	a := newAwareness()
	say(t, a, "alice", entry(1, 5, `{}`))
	if gone := a.Remove(start, speaker("alice").Via); !bytes.Equal(gone, encodeAwareness([]awarenessEntry{entry(1, 5, "null")})) {
		t.Fatalf("%x", gone)
	}
	if a.Remove(start, speaker("alice").Via) != nil || a.All() != nil {
		t.Fatal("removed twice")
	}
	if res := say(t, a, "bob", entry(1, 5, `{}`)); res.Relay != nil {
		t.Fatal("the echo of a slow client brings a ghost")
	}
	if res := say(t, a, "bob", entry(1, 6, `{}`)); res.Relay != nil || res.Foreign != 1 {
		t.Fatal("taken over", res)
	}
	if res := say(t, a, "alice", entry(1, 6, `{}`)); res.Relay == nil {
		t.Fatal("alice cannot come back", res)
	}
	a.Remove(start, speaker("alice").Via)
	if res, _ := a.Apply(start.Add(2*time.Minute), speaker("carol"), encodeAwareness([]awarenessEntry{entry(1, 1, `{}`)})); res.Relay == nil {
		t.Fatal("kept for ever", res)
	}
}

func TestAnotherConnectionOfTheOwnerTakesOver(t *testing.T) {
	a := newAwareness()
	say(t, a, "alice", entry(1, 5, `{}`))
	again := Speaker{Owner: "alice", Via: 99}
	if res, err := a.Apply(start, again, encodeAwareness([]awarenessEntry{entry(1, 6, `{}`)})); err != nil || res.Relay == nil {
		t.Fatal(res, err)
	}
	if a.Remove(start, speaker("alice").Via) != nil || a.Len() != 1 {
		t.Fatal("the end of the old connection takes the state of the new one")
	}
}

func TestAwarenessLimits(t *testing.T) {
	a := newAwareness()
	res := say(t, a, "alice", entry(1, 1, `1`), entry(2, 1, `1`), entry(3, 1, `1`), entry(4, 1, `1`))
	if res.Refused != 1 || a.Len() != 3 {
		t.Fatal(res)
	}
	if res := say(t, a, "bob", entry(7, 1, `"`+strings.Repeat("x", 100)+`"`)); res.Refused != 1 || res.Relay != nil {
		t.Fatal(res)
	}
	for name, b := range map[string][]byte{
		"empty": {}, "no JSON": {1, 1, 1, 1, '{'}, "cut": {2, 1, 1, 1, '1'}, "more behind": {0, 1},
		"many": appendNumber(nil, MaxAwarenessEntries+1), "not UTF-8": {1, 1, 1, 3, '"', 0xff, '"'},
	} {
		if _, err := a.Apply(start, speaker("bob"), b); !errors.Is(err, ErrFormat) {
			t.Fatal(name, err)
		}
	}
}

func TestAwarenessAsYjsDoesIt(t *testing.T) {
	o := startOracle(t)
	var history struct {
		Updates []struct {
			From   int
			Update hexBytes
		}
		States map[string]any
	}
	o.must(map[string]string{"cmd": "awareness"}, &history)
	a := newAwareness()
	relayed := 0
	for _, u := range history.Updates {
		res, err := a.Apply(start, speaker([]string{"alice", "bob"}[u.From]), u.Update)
		if err != nil || res.Foreign+res.Refused > 0 {
			t.Fatal(res, err)
		}
		if res.Relay != nil {
			relayed++
		}
	}
	if relayed != len(history.Updates) || relayed < 4 {
		t.Fatalf("%d of %d updates were news", relayed, len(history.Updates))
	}
	var read struct{ States map[string]any }
	o.must(map[string]any{"cmd": "readAwareness", "update": hexBytes(a.All())}, &read)
	if !reflect.DeepEqual(read.States, history.States) {
		got, _ := json.Marshal(read.States)
		want, _ := json.Marshal(history.States)
		t.Fatalf("Yjs reads %s, want %s", got, want)
	}
}

func TestMessages(t *testing.T) {
	for name, c := range map[string]struct {
		bytes []byte
		want  Message
	}{
		"step 1":    {AppendSync(nil, SyncStep1, []byte{0}), Message{MessageSync, SyncStep1, []byte{0}}},
		"update":    {AppendSync(nil, SyncUpdate, []byte{0, 0}), Message{MessageSync, SyncUpdate, []byte{0, 0}}},
		"awareness": {AppendAwareness(nil, []byte{0}), Message{MessageAwareness, 0, []byte{0}}},
		"query":     {[]byte{3}, Message{MessageQueryAwareness, 0, []byte{}}},
		"unknown":   {[]byte{100, 7}, Message{100, 0, []byte{7}}},
	} {
		got, err := DecodeMessage(c.bytes)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	for _, b := range [][]byte{{}, {0}, {0, 3, 0}, {0, 0, 5, 1}, {1}, {1, 200}} {
		if _, err := DecodeMessage(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

func FuzzAwareness(f *testing.F) {
	f.Add(encodeAwareness([]awarenessEntry{entry(1, 2, `{"a":[1]}`), entry(3, 4, "null")}), true)
	f.Add([]byte{0xff, 0xff, 3}, false)
	f.Fuzz(func(t *testing.T, b []byte, alice bool) {
		a := newAwareness()
		owner := map[bool]string{true: "alice", false: "bob"}[alice]
		say(t, a, "alice", entry(1, 2, `{}`))
		res, err := a.Apply(start, speaker(owner), b)
		if err != nil {
			return
		}
		if a.Len() > 4 {
			t.Fatal("more states than allowed")
		}
		if res.Relay != nil {
			if _, err := parseAwareness(res.Relay); err != nil {
				t.Fatal(err)
			}
		}
		if !alice && a.clients[1].clock != 2 {
			t.Fatal("bob has changed alice")
		}
	})
}
