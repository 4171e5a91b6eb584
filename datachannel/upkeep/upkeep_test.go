package upkeep

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/memory"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

var at = time.UnixMilli(1_700_000_000_000)

// letter is a Yjs update: the client 7 types a letter at clock n behind the one before.
func letter(n byte) []byte {
	if n == 0 {
		return []byte{1, 1, 7, 0, 4, 1, 1, 't', 1, 'a', 0}
	}
	return []byte{1, 1, 7, n, 4 | 0x80, 7, n - 1, 1, 'a' + n, 0}
}

var notes = store.Doc{Room: "r", Name: "notes"}

func filled(t *testing.T, docs ...store.Doc) *memory.Store {
	t.Helper()
	s := memory.New()
	for _, d := range docs {
		for n := range byte(5) {
			w := store.Write{Doc: d, Epoch: 3, Record: log.Record{Seq: uint64(n) + 1, Kind: log.Update, Time: at, Data: letter(n)}}
			if err := s.Append([]store.Write{w}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func check(t *testing.T, s store.Store) string {
	t.Helper()
	var b strings.Builder
	err := Check(s, func(r Report) error {
		fmt.Fprintf(&b, "%s/%s seq %d, %d records, %d problems;", r.Doc.Room, r.Doc.Name, r.Position.Seq, r.Records, len(r.Problems))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func vector(t *testing.T, s store.Store, d store.Doc) yjs.StateVector {
	t.Helper()
	state, err := s.Load(d)
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := open(state)
	return doc.StateVector()
}

func TestCheckNamesWhatIsDamaged(t *testing.T) {
	s := filled(t, notes)
	s.Damage(notes, 3)
	bad := store.Write{Doc: notes, Epoch: 3, Record: log.Record{Seq: 6, Kind: log.Update, Time: at, Data: []byte("nonsense")}}
	if err := s.Append([]store.Write{bad}); err != nil {
		t.Fatal(err)
	}
	if got := check(t, s); got != "r/notes seq 6, 5 records, 2 problems;" {
		t.Fatal(got)
	}
}

func TestCompactKeepsTheDocument(t *testing.T) {
	s := filled(t, notes, store.Doc{Room: "r", Name: "other"})
	before := vector(t, s, notes)
	if n, err := Compact(s, at); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := Compact(s, at); n != 0 || err != nil {
		t.Fatal("compacted again", n, err)
	}
	state, _ := s.Load(notes)
	if len(state.Records) != 0 || state.Snapshot.Seq != 5 || state.Epoch != 3 || vector(t, s, notes).Clock(7) != before.Clock(7) {
		t.Fatal(state)
	}
}

func TestCompactPutsDamageAsideUnderANewEpoch(t *testing.T) {
	s := filled(t, notes)
	s.Damage(notes, 5)
	if _, err := Compact(s, at); err != nil {
		t.Fatal(err)
	}
	state, _ := s.Load(notes)
	if got := check(t, s); got != "r/notes seq 6, 0 records, 0 problems;" || state.Epoch == 3 || vector(t, s, notes).Clock(7) != 4 {
		t.Fatal(got, state.Epoch, vector(t, s, notes))
	}
}

func TestExportAndImport(t *testing.T) {
	other := store.Doc{Room: "ä", Name: "b/c"}
	var file bytes.Buffer
	if n, err := Export(filled(t, notes, other), &file); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	empty := memory.New()
	for range 2 { // the second time there is nothing new
		if n, err := Import(empty, bytes.NewReader(file.Bytes()), at); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		if got := check(t, empty); got != "r/notes seq 1, 1 records, 0 problems;ä/b/c seq 1, 1 records, 0 problems;" {
			t.Fatal(got)
		}
	}
	if vector(t, empty, other).Clock(7) != 5 {
		t.Fatal(vector(t, empty, other))
	}
}

func TestImportRefusesWhatIsWrong(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON": "x", "no room": `{"name":"a","update":"AAA="}`, "no update": `{"room":"r","name":"notes","update":"AQ=="}`,
	} {
		n, err := Import(memory.New(), strings.NewReader(`{"room":"r","name":"ok","update":"AAA="}`+"\n"+line), at)
		if err == nil || n != 1 || !strings.Contains(err.Error(), "line 2") {
			t.Error(name, n, err)
		}
	}
	var file bytes.Buffer
	if _, err := Export(filled(t, notes), &file); err != nil {
		t.Fatal(err)
	}
	s := memory.New()
	other := bytes.Replace(letter(0), []byte("a"), []byte("z"), 1)
	if err := s.Append([]store.Write{{Doc: notes, Epoch: 1, Record: log.Record{Seq: 1, Kind: log.Update, Time: at, Data: other}}}); err != nil {
		t.Fatal(err)
	}
	var twice *yjs.EquivocationError
	if _, err := Import(s, &file, at); !errors.As(err, &twice) {
		t.Fatal(err)
	}
}
