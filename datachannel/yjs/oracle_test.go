package yjs

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
)

// oracle is a process that runs Yjs itself; see testdata/oracle.
type oracle struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

// startOracle skips the test where Yjs is not installed, unless TURNOUT_TEST_YJS says that it has to be there.
func startOracle(t testing.TB) *oracle {
	t.Helper()
	_, nodeErr := exec.LookPath("node")
	_, yjsErr := os.Stat("testdata/oracle/node_modules/yjs/package.json")
	if nodeErr != nil || yjsErr != nil {
		if os.Getenv("TURNOUT_TEST_YJS") != "" {
			t.Fatal("node or Yjs is missing: run npm ci in datachannel/yjs/testdata/oracle")
		}
		t.Skip("node or Yjs is missing: run npm ci in datachannel/yjs/testdata/oracle")
	}
	cmd := exec.Command("node", "oracle.mjs")
	cmd.Dir = "testdata/oracle"
	cmd.Stderr = os.Stderr
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
			t.Errorf("the oracle ended with %v", err)
		}
	})
	return &oracle{t, in, bufio.NewReaderSize(out, 1<<20)}
}

// ask sends a request and reads the answer into answer. It returns the oracle's error.
func (o *oracle) ask(request, answer any) string {
	o.t.Helper()
	b, err := json.Marshal(request)
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.in.Write(append(b, '\n')); err != nil {
		o.t.Fatal(err)
	}
	line, err := o.out.ReadBytes('\n')
	if err != nil {
		o.t.Fatal(err)
	}
	var failure struct{ Error string }
	if err := json.Unmarshal(line, &failure); err != nil {
		o.t.Fatal(err)
	}
	if answer != nil && failure.Error == "" {
		if err := json.Unmarshal(line, answer); err != nil {
			o.t.Fatal(err)
		}
	}
	return failure.Error
}

func (o *oracle) must(request, answer any) {
	o.t.Helper()
	if failure := o.ask(request, answer); failure != "" {
		o.t.Fatal(failure)
	}
}

// hexBytes travel as hex in JSON.
type hexBytes []byte

func (h hexBytes) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h)) }

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	var err error
	*h, err = hex.DecodeString(s)
	return err
}

type history3 struct {
	Updates   []hexBytes
	Delivered []hexBytes
	Vectors   []hexBytes
}

type caseRequest struct {
	Cmd  string `json:"cmd"`
	Seed int    `json:"seed"`
}

type checkRequest struct {
	Cmd          string     `json:"cmd"`
	Full         hexBytes   `json:"full"`
	Compact      hexBytes   `json:"compact"`
	Vector       hexBytes   `json:"vector"`
	Fresh        []hexBytes `json:"fresh"`
	Diffs        []hexBytes `json:"diffs"`
	CompactDiffs []hexBytes `json:"compactDiffs"`
}

const histories = 1200

// TestSameAsYjs gives random histories of three clients to this package and to Yjs, and compares what comes out.
func TestSameAsYjs(t *testing.T) {
	o := startOracle(t)
	for seed := 1; seed <= histories; seed++ {
		var h history3
		o.must(caseRequest{"case", seed}, &h)
		d := New()
		check := checkRequest{Cmd: "check", Fresh: []hexBytes{}}
		for _, b := range h.Delivered {
			u, err := Parse(b)
			if err != nil {
				t.Fatalf("seed %d: %v: %x", seed, err, []byte(b))
			}
			known := d.Contains(u)
			if err := d.Check(u); err != nil && err != ErrGap { //nolint:errorlint // never wrapped
				t.Fatalf("seed %d: an honest update is refused: %v", seed, err)
			}
			fresh := d.Apply(u)
			if known != (fresh == nil) {
				t.Fatalf("seed %d: contained %v, but %d bytes are new", seed, known, len(fresh))
			}
			if fresh != nil {
				check.Fresh = append(check.Fresh, fresh)
			}
		}
		check.Vector = d.StateVector().Encode()
		check.Full = d.Diff(nil)
		check.Diffs = diffs(t, d, h.Vectors)
		d.Compact()
		check.Compact = d.Diff(nil)
		check.CompactDiffs = diffs(t, d, h.Vectors)
		if failure := o.ask(check, nil); failure != "" {
			t.Fatalf("seed %d: %s", seed, failure)
		}
	}
}

func diffs(t *testing.T, d *Doc, vectors []hexBytes) (all []hexBytes) {
	t.Helper()
	for _, b := range vectors {
		v, err := DecodeStateVector(b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d.Diff(v))
	}
	return all
}
