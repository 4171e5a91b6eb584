package yjs

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// oracle is a node process that holds Yjs itself.
type oracle struct {
	in  *json.Encoder
	out *bufio.Reader
}

// lacks skips the test, or fails it where Yjs has to be there: with TURNOUT_TEST_YJS=1, as make test sets it, or CI=true.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("TURNOUT_TEST_YJS") == "1" || os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// startOracle starts testdata/oracle/oracle.mjs, which ends with the test.
func startOracle(t *testing.T) *oracle {
	t.Helper()
	dir := filepath.Join("testdata", "oracle")
	node, err := exec.LookPath("node")
	if err != nil {
		lacks(t, "comparing with Yjs itself needs Node.js 20 or newer")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "yjs")); err != nil {
		lacks(t, "comparing with Yjs itself needs its npm packages: run npm ci in datachannel/yjs/testdata/oracle")
	}
	cmd := exec.Command(node, "oracle.mjs")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("oracle: %v", err)
		}
	})
	return &oracle{in: json.NewEncoder(in), out: bufio.NewReader(out)}
}

// ask sends one request and reads its reply.
func (o *oracle) ask(t *testing.T, request map[string]any, reply any) {
	t.Helper()
	if err := o.in.Encode(request); err != nil {
		t.Fatal(err)
	}
	line, err := o.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	if err := json.Unmarshal(line, reply); err != nil {
		t.Fatal(err)
	}
}

// past is a random history, made by Yjs.
type past struct {
	Deliveries [][]byte // updates as a server gets them: shuffled, repeated, merged
	Peers      [][]byte // state vectors of peers
}

func (o *oracle) history(t *testing.T, seed int) past {
	t.Helper()
	var p past
	o.ask(t, map[string]any{"ask": "history", "seed": seed}, &p)
	return p
}

// judge compares what was done to the last history with what Yjs does to it, and returns how many operations were compared.
func (o *oracle) judge(t *testing.T, seed int, results map[string]any) int {
	t.Helper()
	results["ask"] = "judge"
	var reply struct {
		Checks []struct {
			Name  string
			Wrong []string
		}
	}
	o.ask(t, results, &reply)
	for _, c := range reply.Checks {
		for _, w := range c.Wrong {
			t.Errorf("seed %d, %s: %s", seed, c.Name, w)
		}
	}
	return len(reply.Checks)
}
