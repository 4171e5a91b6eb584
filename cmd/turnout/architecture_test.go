package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/turnout-rtc/turnout"

// below says which of our folders the packages of a folder may import, besides their own.
var below = map[string][]string{
	"sfu":         {},
	"datachannel": {},
	"turn":        {},
	"web":         {},
	"signaling":   {"sfu", "datachannel", "turn"},
	"cmd":         {"sfu", "datachannel", "turn", "web", "signaling"},
}

// clientNeeds is what signaling/client may import of ours: it is a browser's twin and knows the wires, not the server.
var clientNeeds = []string{"signaling/protocol", "datachannel/frame"}

// homes says where a third-party package lives: in which folders, with all that is below them.
var homes = map[string][]string{
	"github.com/pion/webrtc":              {"sfu", "signaling/client"},
	"github.com/pion/interceptor":         {"sfu", "signaling/client"},
	"github.com/pion/ice":                 {"sfu", "signaling/client"},
	"github.com/pion/dtls":                {"sfu"},
	"github.com/pion/srtp":                {"sfu"},
	"github.com/pion/sctp":                {"sfu"}, // the peer in tests
	"github.com/pion/sdp":                 {"sfu"},
	"github.com/pion/rtp":                 {"sfu", "signaling/client"},
	"github.com/pion/rtcp":                {"sfu", "signaling/client"},
	"github.com/pion/turn":                {"turn"},
	"github.com/pion/stun":                {"sfu", "turn"},
	"github.com/pion/transport":           {"sfu", "turn"},
	"github.com/pion/logging":             {"sfu", "turn", "signaling/client"},
	"github.com/gorilla/websocket":        {"signaling"},
	"github.com/golang-jwt/jwt":           {"signaling/auth"},
	"go.etcd.io/bbolt":                    {"datachannel/store/bolt"},
	"github.com/prometheus/client_golang": {"cmd/turnout/metrics"},
	"github.com/alecthomas/kong":          {"cmd/turnout"},
	"github.com/caddyserver/certmagic":    {"cmd/turnout/certs"},
	"go.uber.org/zap":                     {"cmd/turnout/certs"}, // certmagic's logger
	"go.yaml.in/yaml":                     {"cmd/turnout/settings"},
	"golang.org/x/net":                    {"sfu", "turn", "cmd/turnout"}, // there in tests
	"golang.org/x/sys":                    {"sfu", "turn"},
	"golang.org/x/time":                   {"signaling", "datachannel", "turn"},
	"go.uber.org/goleak":                  {"sfu", "turn", "signaling", "datachannel", "cmd"}, // in tests
}

// forTests are those of homes that only tests may import.
var forTests = []string{"go.uber.org/goleak", "github.com/pion/sctp"}

// shells are imports that a pure core has no use for: they open, wait or start something.
var shells = []string{"net", "net/http", "os", "os/exec", "context", "sync", "sync/atomic", "log", "log/slog"}

// cores are the packages of pure decisions, as far as they exist.
var cores = []string{
	"signaling/protocol", "signaling/room", "signaling/auth", "signaling/whip/sdp", "signaling/whip/follow", "datachannel/frame", "datachannel/outbox", "datachannel/presence",
	"datachannel/inbox", "datachannel/log", "datachannel/yjs", "turn/credential", "turn/policy", "turn/quota", "turn/demux", "turn/frame",
	"sfu/negotiate", "sfu/forward", "sfu/alloc", "sfu/pace", "sfu/codec", "sfu/assign", "sfu/keyframe", "sfu/receive", "sfu/report",
	"sfu/rtcp", "sfu/delivery", "sfu/seal", "sfu/sctp", "sfu/sctp/dcep",
	"sfu/demux", "sfu/lite/answer", "sfu/lite/icelite", "sfu/lite/icefull", "sfu/lite/record", "cmd/turnout/settings",
}

var badNames = []string{"internal", "pkg", "util", "utils", "common", "types", "models", "helpers", "misc"}

var topLevel = []string{
	"cmd", "sfu", "signaling", "turn", "datachannel", "web", "deploy", "docs", "go.mod", "go.sum", "Makefile", "README.md", "LICENSE",
	"bin", "data", // made, and ignored by git
}

func TestTheHouseStands(t *testing.T) {
	for _, v := range violations(t, os.DirFS("../..")) {
		t.Error(v)
	}
}

func TestAViolationIsFound(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"an arrow up":                    {"sfu/a.go", `import "MODULE/signaling"`, "sfu/a.go: sfu must not import signaling"},
		"an arrow to the roof":           {"signaling/a.go", `import "MODULE/cmd/turnout/site"`, "signaling/a.go: signaling must not import cmd"},
		"planes that know each other":    {"turn/deep/a.go", `import s "MODULE/sfu/alloc"`, "turn/deep/a.go: turn must not import sfu"},
		"in a test, too":                 {"web/a_test.go", `import _ "MODULE/sfu"`, "web/a_test.go: web must not import sfu"},
		"a client that knows the server": {"signaling/client/a.go", `import "MODULE/signaling/room"`, "signaling/client/a.go: the client must not import signaling/room"},
		"a second home":                  {"signaling/ws/a.go", `import "github.com/pion/webrtc/v4"`, "signaling/ws/a.go: github.com/pion/webrtc lives in sfu, signaling/client"},
		"a prefix is not a home":         {"sfutest/a.go", `import "github.com/pion/rtp"`, "sfutest/a.go: github.com/pion/rtp lives in sfu, signaling/client"},
		"a stranger":                     {"sfu/a.go", `import "example.com/left/pad"`, "sfu/a.go: example.com/left/pad has no home: give it one in architecture_test.go, with a reason in the commit"},
		"goleak outside of tests":        {"sfu/a.go", `import "go.uber.org/goleak"`, "sfu/a.go: go.uber.org/goleak is for tests"},
		"SCTP of somebody else's":        {"sfu/lite/a.go", `import "github.com/pion/sctp"`, "sfu/lite/a.go: github.com/pion/sctp is for tests"},
		"a core with a socket":           {"signaling/room/a.go", `import "net"`, "signaling/room/a.go: a pure core must not import net"},
		"a package without a noun":       {"sfu/utils/a.go", ``, "sfu/utils/a.go: no package is called utils"},
		"a folder without a noun":        {"internal/a.go", ``, "internal/a.go: no package is called internal"},
		"a new thing at the top":         {"scripts/a.sh", `#!/bin/sh`, "scripts: not one of the entries of the top level"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(c.text, "MODULE", module)
			if strings.HasSuffix(c.file, ".go") {
				text = "package " + path.Base(path.Dir(c.file)) + "\n" + text
			}
			got := violations(t, fstest.MapFS{c.file: {Data: []byte(text)}, ".ci/run": {}, "sfu/fine.go": {Data: []byte("package sfu\nimport (\n\"net\"\n\"" + module + "/sfu/alloc\"\n)")}})
			if !slices.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, v := range got {
				if strings.HasPrefix(v, "sfu/fine.go") {
					t.Errorf("a file without fault: %s", v)
				}
			}
		})
	}
}

// violations are all breaches of the house's rules in a source tree. It reads the files itself: the answer of a go command
// would be kept by go test's cache, whatever the files say later.
func violations(t *testing.T, tree fs.FS) []string {
	t.Helper()
	var found []string
	top, err := fs.ReadDir(tree, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range top {
		if !strings.HasPrefix(entry.Name(), ".") && !slices.Contains(topLevel, entry.Name()) {
			found = append(found, entry.Name()+": not one of the entries of the top level")
		}
	}
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if entry.IsDir() && name != "." && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".")) {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || path.Ext(name) != ".go" {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		names := append(strings.Split(path.Dir(name), "/"), strings.TrimSuffix(file.Name.Name, "_test"))
		slices.Sort(names)
		for _, part := range slices.Compact(names) {
			if slices.Contains(badNames, part) {
				found = append(found, fmt.Sprintf("%s: no package is called %s", name, part))
			}
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if breach := breach(name, imported); breach != "" {
				found = append(found, name+": "+breach)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// breach says what is wrong with one import, or "".
func breach(file, imported string) string {
	dir := path.Dir(file)
	if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
		return arrow(dir, ours, strings.HasSuffix(file, "_test.go"))
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		if !strings.HasSuffix(file, "_test.go") && slices.Contains(cores, dir) && slices.Contains(shells, imported) {
			return "a pure core must not import " + imported
		}
		return ""
	}
	return foreign(file, dir, imported)
}

func arrow(dir, ours string, test bool) string {
	if within(dir, "signaling/client") && !within(ours, "signaling/client") && !test && !slices.Contains(clientNeeds, ours) {
		return "the client must not import " + ours
	}
	from, _, _ := strings.Cut(dir, "/")
	to, _, _ := strings.Cut(ours, "/")
	if from != to && !slices.Contains(below[from], to) {
		return fmt.Sprintf("%s must not import %s", from, to)
	}
	return ""
}

func foreign(file, dir, imported string) string {
	for name, folders := range homes {
		if !within(imported, name) {
			continue
		}
		if slices.Contains(forTests, name) && !strings.HasSuffix(file, "_test.go") {
			return name + " is for tests"
		}
		if !slices.ContainsFunc(folders, func(folder string) bool { return within(dir, folder) }) {
			return name + " lives in " + strings.Join(folders, ", ")
		}
		return ""
	}
	return imported + " has no home: give it one in architecture_test.go, with a reason in the commit"
}

// within says whether a slash-separated path is in a folder or is the folder.
func within(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }
