package yjs

import (
	"fmt"
	"testing"
)

// histories is how many random histories are compared with Yjs; a failing one is found again by its seed.
const histories = 1000

func TestEveryOperationEqualsYjs(t *testing.T) {
	const workers = 2
	for w := range workers {
		t.Run(fmt.Sprintf("worker%d", w), func(t *testing.T) {
			t.Parallel()
			o := startOracle(t)
			compared := 0
			for seed := 1 + w; seed <= histories; seed += workers {
				p := o.history(t, seed)
				compared += o.judge(t, seed, everyOperation(t, seed, p))
			}
			t.Logf("%d operations compared, each with two ways of Yjs", compared)
		})
	}
}

// everyOperation does to a history what oracle.mjs does with Yjs.
func everyOperation(t *testing.T, seed int, p past) map[string]any {
	t.Helper()
	var doc, early Doc
	var relayed [][]byte
	results := map[string]any{}
	half := len(p.Deliveries) / 2
	for i, u := range p.Deliveries {
		if i == half {
			results["half"] = doc.Encode()
			early.Compact()
		}
		applied, err := doc.Apply(u)
		if err != nil {
			t.Fatalf("seed %d, delivery %d: %v", seed, i, err)
		}
		if applied.New != nil {
			relayed = append(relayed, applied.New)
		}
		if _, err := early.Apply(u); err != nil {
			t.Fatalf("seed %d, delivery %d after compaction: %v", seed, i, err)
		}
	}
	merged, err := merge(p.Deliveries...)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	early.Compact()
	results["merged"] = merged
	results["relayed"] = relayed
	results["encoded"] = doc.Encode()
	results["vector"] = doc.StateVector().Append(nil)
	results["compactedEarly"] = early.Encode()
	results["diffs"] = diffs(t, &doc, p.Peers)
	doc.Compact()
	results["compacted"] = doc.Encode()
	results["compactDiffs"] = diffs(t, &doc, p.Peers)
	return results
}

func diffs(t *testing.T, d *Doc, peers [][]byte) [][]byte {
	t.Helper()
	out := [][]byte{}
	for _, p := range peers {
		v, err := DecodeStateVector(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.Diff(v))
	}
	return out
}
