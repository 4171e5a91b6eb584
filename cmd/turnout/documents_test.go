package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnout-rtc/turnout/datachannel/store/bolt"
)

func TestADataDirectoryHasOneServer(t *testing.T) {
	data := t.TempDir()
	file, err := bolt.Open(filepath.Join(data, documentsFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	line := fails(t, nil, append(anyPorts(), "--data", data)...)
	for _, want := range []string{"documents.db is in use", "another turnout", "--data"} {
		if !strings.Contains(line, want) {
			t.Errorf("does not say %q: %s", want, line)
		}
	}
}
