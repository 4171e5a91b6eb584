package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/log"
	"github.com/turnout-rtc/turnout/datachannel/store"
	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
)

// shelve makes a data directory with a document of 100 updates; damage spoils one of them.
func shelve(t *testing.T, damage bool) string {
	t.Helper()
	dir := t.TempDir()
	s, err := bolt.Open(filepath.Join(dir, documentsFile))
	if err != nil {
		t.Fatal(err)
	}
	doc := store.Doc{Room: "room", Name: "notes"}
	var writes []store.Write
	for i := range uint64(100) {
		update := typed(1, i, "x")
		if damage && i == 99 {
			update = []byte{1, 1}
		}
		writes = append(writes, store.Write{Doc: doc, Epoch: 7, Record: log.Record{Seq: i + 1, Kind: log.Update, Subject: "ada", Time: time.Unix(1, 0), Data: update}})
	}
	if err := s.Append(writes); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// typed is a Yjs update: client types one character behind its last, the first at the beginning of the root type "t".
func typed(client, clock uint64, character string) []byte {
	if clock == 0 {
		return append([]byte{1, 1, byte(client), 0, 4, 1, 1, 't', 1}, character[0], 0)
	}
	b := []byte{1, 1, byte(client)}
	b = append(varint(b, clock), 4|0x80, byte(client))
	return append(varint(b, clock-1), 1, character[0], 0)
}

func varint(b []byte, n uint64) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// turnout carries out a command line in this process.
func turnout(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, &out, &errs); code != want {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

func TestDocumentsAreCheckedAndCompacted(t *testing.T) {
	dir := shelve(t, false)
	if out, _ := turnout(t, 0, "data", "check", dir); !strings.Contains(out, "notes") || !strings.Contains(out, "good") || !strings.Contains(out, "100") {
		t.Error(out)
	}
	if out, _ := turnout(t, 0, "data", "compact", dir); !strings.HasPrefix(out, "1 documents compacted") {
		t.Error(out)
	}
	if out, _ := turnout(t, 0, "data", "check", dir); !strings.Contains(out, "good") || strings.Count(out, "100") != 1 {
		t.Errorf("records are left:\n%s", out)
	}
}

func TestDamageIsNamedAndPutAside(t *testing.T) {
	dir := shelve(t, true)
	out, errs := turnout(t, 1, "data", "check", dir)
	if !strings.Contains(out, "record 100") || !strings.Contains(errs, "1 of 1 documents are damaged") || !strings.Contains(errs, "turnout data compact") {
		t.Error(out, errs)
	}
	turnout(t, 0, "data", "compact", dir)
	turnout(t, 0, "data", "check", dir)
}

func TestDocumentsGoFromOneDirectoryToAnother(t *testing.T) {
	from, to := shelve(t, false), filepath.Join(t.TempDir(), "new")
	file := filepath.Join(t.TempDir(), "export")
	turnout(t, 0, "data", "export", from, "-o", file)
	if out, _ := turnout(t, 0, "data", "import", to, file); out != "1 documents imported\n" {
		t.Error(out)
	}
	turnout(t, 0, "data", "import", to, file) // twice is once
	one, _ := turnout(t, 0, "data", "export", from)
	other, _ := turnout(t, 0, "data", "export", to)
	if one != other || one == "" {
		t.Errorf("%s became %s", one, other)
	}
}

func TestWhatDataCommandsRefuse(t *testing.T) {
	empty := t.TempDir()
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{\"room\":\"r\",\"name\":\"n\",\"update\":\"AAA=\"}\nnot a line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	used := shelve(t, false)
	s, err := bolt.Open(filepath.Join(used, documentsFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"check", empty}, []string{"no documents in " + empty, "--data"}},
		{[]string{"compact", empty}, []string{"no documents in " + empty}},
		{[]string{"export", filepath.Join(empty, "nothing")}, []string{"no documents"}},
		{[]string{"export", shelve(t, false), "-o", broken}, []string{"cannot write the export", "exists"}},
		{[]string{"import", empty, broken}, []string{"line 2", "1 documents were imported before"}},
		{[]string{"import", empty, filepath.Join(empty, "nothing")}, []string{"cannot read the export"}},
		{[]string{"check", used}, []string{"is in use", "stop it"}},
		{[]string{"check"}, []string{"<dir>"}},
	} {
		_, errs := turnout(t, 1, append([]string{"data"}, c.args...)...)
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%v does not say %q: %s", c.args, want, errs)
			}
		}
		if strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: not one line: %q", c.args, errs)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(empty, "nothing")); len(entries) > 0 {
		t.Error("a directory was made by looking at it")
	}
}
