package certs

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// pair writes a certificate and its key to one file.
func pair(t *testing.T, file, name string) {
	t.Helper()
	if err := makePair(file, []string{name}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreReadAgainWhenTheyChange(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pair.pem")
	pair(t, file, "old.test")
	f, err := OpenFiles(file, file, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	now := f.checked
	name := func() string { return f.get(now).Leaf.DNSNames[0] }
	step := func() { now = now.Add(checkInterval) }
	if step(); name() != "old.test" {
		t.Error(name())
	}
	later := time.Now().Add(time.Hour)
	for _, text := range []string{"", "garbage"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		later = later.Add(time.Hour)
		if err := os.Chtimes(file, later, later); err != nil {
			t.Fatal(err)
		}
		if step(); name() != "old.test" {
			t.Errorf("in the middle of a renewal: %s", name())
		}
	}
	if f.Reload() == nil {
		t.Error("garbage was reloaded")
	}
	pair(t, file, "new.test")
	if name() != "old.test" {
		t.Error("looked at twice in a second")
	}
	if step(); name() != "new.test" {
		t.Errorf("after the renewal: %s", name())
	}
	if !f.NotAfter().Equal(f.current.Leaf.NotAfter) {
		t.Error(f.NotAfter())
	}
	pair(t, file, "newer.test")
	if err := f.Reload(); err != nil || name() != "newer.test" {
		t.Errorf("reloaded: %s, %v", name(), err)
	}
}

func TestFilesThatCannotBeReadAreAnErrorAtTheStart(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.pem")
	pair(t, good, "a.test")
	other := filepath.Join(t.TempDir(), "other.pem")
	pair(t, other, "b.test")
	for name, files := range map[string][2]string{
		"no file": {good + "x", good}, "another's key": {good, other}, "not PEM": {"/dev/null", good},
	} {
		if _, err := OpenFiles(files[0], files[1], quiet()); err == nil || !strings.HasPrefix(err.Error(), "tls.cert, tls.key: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASelfSignedCertificateIsKept(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	open := func(now time.Time, names ...string) *SelfSigned {
		t.Helper()
		c, err := OpenSelfSigned(dir, names, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			if err := c.cert.Leaf.VerifyHostname(n); err != nil {
				t.Error(err)
			}
		}
		return c
	}
	first := open(now, "localhost", "192.0.2.1")
	if f := first.Fingerprint(); len(f) != 32*3-1 || strings.Count(f, ":") != 31 {
		t.Errorf("fingerprint %q", f)
	}
	if first.NotAfter().Sub(now) > 398*24*time.Hour {
		t.Errorf("browsers refuse what ends at %v", first.NotAfter())
	}
	for _, c := range []struct {
		name  string
		after time.Duration
		names []string
		same  bool
	}{
		{"the next day", 24 * time.Hour, []string{"localhost", "192.0.2.1"}, true},
		{"fewer names", 0, []string{"localhost"}, true},
		{"another address", 0, []string{"localhost", "192.0.2.2"}, false},
		{"near its end", 380 * 24 * time.Hour, []string{"localhost"}, false},
	} {
		if again := open(now.Add(c.after), c.names...); (again.Fingerprint() == first.Fingerprint()) != c.same {
			t.Errorf("%s: the same certificate is %v", c.name, !c.same)
		}
	}
	info, err := os.Stat(filepath.Join(dir, selfSignedFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(dir, selfSignedFile), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSelfSigned(dir, nil, now); err == nil || !strings.Contains(err.Error(), "remove "+dir) {
		t.Errorf("garbage: %v", err)
	}
}
