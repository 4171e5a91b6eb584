package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// The files of the data directory, each readable by its owner only.
const (
	keysFile     = "signing-keys" // lines of "name: secret"
	secretFile   = "turn-secret"  // one line
	operatorFile = "operator-key" // one line
)

// defaultData is where data is kept when nothing else is said: the XDG base directory for data that belongs to the user.
func defaultData() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "turnout"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("there is no home directory to keep data in: say where with --data")
	}
	return filepath.Join(home, ".local", "share", "turnout"), nil
}

// openData makes the data directory if it is not there and writable.
func openData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data directory: %w; choose another with --data", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("cannot write into the data directory: %w; choose another with --data", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// keepSecrets fills in what the Config does not say from the data directory: the signing key and the TURN secret. What is
// not there either is made and kept, so that tokens stay valid over a restart.
func keepSecrets(cfg *Config, log *slog.Logger) error {
	if len(cfg.Signaling.Keys) == 0 {
		text, err := keep(filepath.Join(cfg.Data, keysFile), newKey, log)
		if err != nil {
			return err
		}
		if cfg.Signaling.Keys, err = parseNames(text); err != nil || len(cfg.Signaling.Keys) == 0 {
			return fmt.Errorf("%s has no line of the form \"name: secret\"; remove it and a new key is made", filepath.Join(cfg.Data, keysFile))
		}
	}
	return keepTURNSecrets(cfg, log)
}

// keepTURNSecrets does so for what a TURN server without rooms needs, too.
func keepTURNSecrets(cfg *Config, log *slog.Logger) error {
	if needsTURNSecret(*cfg) {
		text, err := keep(filepath.Join(cfg.Data, secretFile), newSecret, log)
		if err != nil {
			return err
		}
		cfg.TURN.Secret = text
	}
	keepOperatorKey(cfg, log)
	return nil
}

// keepOperatorKey leaves the key empty when there is no data directory, for nothing else had to be kept there.
func keepOperatorKey(cfg *Config, log *slog.Logger) {
	if info, err := os.Stat(cfg.Data); cfg.Operator != "" || !cfg.TURN.Enabled || err != nil || !info.IsDir() {
		return
	}
	text, err := keep(filepath.Join(cfg.Data, operatorFile), newSecret, log)
	if err != nil {
		log.Warn("there is no operator key, so that nobody can list or end TURN allocations; set operator_key", "err", err)
		return
	}
	cfg.Operator = text
}

func needsTURNSecret(cfg Config) bool {
	return cfg.TURN.Enabled && cfg.TURN.Secret == "" && len(cfg.TURN.Keys) == 0
}

// newSecret has 256 bits, as RFC 7518 §3.2 asks of a key for HS256.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

func newKey() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return "key-" + hex.EncodeToString(b) + ": " + newSecret()
}

// keep reads a secret from a file, and makes it first if it is not there. Two processes that do so at once end up with the
// same secret.
func keep(name string, fresh func() string, log *slog.Logger) (string, error) {
	err := tighten(name, log)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(name, fresh()+"\n")
	}
	if err != nil {
		return "", err
	}
	return readSecret(name)
}

// tighten takes a file's permissions from everyone but its owner.
func tighten(name string, log *slog.Logger) error {
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return fmt.Errorf("others may read %s, which holds a secret, and that cannot be changed: %w", name, err)
	}
	log.Warn("others could read a file that holds a secret; now only its owner can. Remove it to get a new one", "file", name)
	return nil
}

// create writes a new file in one step: it is whole or not there, and it never replaces another.
func create(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
