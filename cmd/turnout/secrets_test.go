package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestSecretsSurviveARestart(t *testing.T) {
	var first, second Config
	first.Data, first.TURN.Enabled = filepath.Join(t.TempDir(), "new"), true
	if err := openData(first.Data); err != nil {
		t.Fatal(err)
	}
	second = first
	for _, c := range []*Config{&first, &second} {
		if err := keepSecrets(c, quiet()); err != nil {
			t.Fatal(err)
		}
	}
	for name, secret := range first.Signaling.Keys {
		if len(secret) < 32 || second.Signaling.Keys[name] != secret {
			t.Errorf("key %q: %d bytes, then %d", name, len(secret), len(second.Signaling.Keys[name]))
		}
	}
	if len(first.Signaling.Keys) != 1 || first.TURN.Secret == "" || first.TURN.Secret != second.TURN.Secret {
		t.Errorf("keys %d, TURN secret kept: %v", len(first.Signaling.Keys), first.TURN.Secret == second.TURN.Secret)
	}
	if info, err := os.Stat(first.Data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", info.Mode(), err)
	}
	for _, name := range []string{keysFile, secretFile} {
		if info, err := os.Stat(filepath.Join(first.Data, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestConfiguredSecretsAreNotReplaced(t *testing.T) {
	var cfg Config
	cfg.Data = t.TempDir()
	cfg.Signaling.Keys = map[string]string{"mine": "secret"}
	if err := keepSecrets(&cfg, quiet()); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(cfg.Data); len(left) != 0 || cfg.Signaling.Keys["mine"] != "secret" {
		t.Errorf("made %v, keys %d", left, len(cfg.Signaling.Keys))
	}
}

func TestTwoProcessesAgreeOnASecret(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	got := make([]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = keep(name, newSecret, quiet()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, g := range got {
		if g != got[0] || g == "" {
			t.Fatalf("not the same: %q", got)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(name)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAnOpenSecretFileIsTightenedWithASentence(t *testing.T) {
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte("s\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	got, err := keep(name, newSecret, slog.New(slog.NewTextHandler(&said, nil)))
	info, _ := os.Stat(name)
	if err != nil || got != "s" || info.Mode().Perm() != 0o600 || !strings.Contains(said.String(), "others could read") {
		t.Errorf("%q, %v, %v, said %q", got, err, info.Mode(), said.String())
	}
}

func TestParseNames(t *testing.T) {
	for text, want := range map[string]string{
		"a=b":                "a>b",
		"a: b=:\n\nc: d\n":   "a>b=: c>d",
		"c=d, a = b;":        "a>b c>d",
		"name-1:c2VjcmV0==,": "name-1>c2VjcmV0==",
		"":                   "",
		"secret":             "error",
		"=secret":            "error",
	} {
		names, err := parseNames(text)
		var got []string
		for _, name := range []string{"a", "c", "name-1"} {
			if value, ok := names[name]; ok {
				got = append(got, name+">"+value)
			}
		}
		if err != nil {
			got = []string{"error"}
		}
		if joined := strings.Join(got, " "); joined != want {
			t.Errorf("%q: %q, want %q", text, joined, want)
		}
	}
}
