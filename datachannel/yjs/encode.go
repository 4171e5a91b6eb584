package yjs

import (
	"maps"
	"slices"
	"sort"
)

// StateVector says how many operations of each client are known, from the first on without a hole.
type StateVector map[uint64]uint64

// DecodeStateVector reads a state vector. The error is ErrFormat.
func DecodeStateVector(b []byte) (StateVector, error) {
	r := reader{b: b}
	count := r.number()
	if count > uint64(len(b)) {
		return nil, ErrFormat
	}
	v := make(StateVector, count)
	for ; count > 0 && !r.bad; count-- {
		client := r.number()
		v[client] = r.number()
	}
	if r.bad || r.at != len(b) {
		return nil, ErrFormat
	}
	return v, nil
}

// Encode writes a state vector, clients in falling order, as Yjs does.
func (v StateVector) Encode() []byte {
	b := appendNumber(make([]byte, 0, 1+10*len(v)), uint64(len(v)))
	for _, client := range falling(v) {
		b = appendNumber(appendNumber(b, client), v[client])
	}
	return b
}

func falling[V any](m map[uint64]V) []uint64 {
	clients := slices.Collect(maps.Keys(m))
	slices.SortFunc(clients, func(a, b uint64) int {
		if a > b {
			return -1
		}
		return 1
	})
	return clients
}

// StateVector of the document.
func (d *Doc) StateVector() StateVector {
	v := make(StateVector, len(d.clients))
	for client, h := range d.clients {
		if h.state > 0 {
			v[client] = h.state
		}
	}
	return v
}

// Diff is an update with all that a peer with state vector v lacks, and all deletions; with nil, everything.
func (d *Doc) Diff(v StateVector) []byte {
	size := len(d.deletions()) + 16
	var lacking []block
	for _, client := range falling(d.clients) {
		structs := d.clients[client].since(client, v[client])
		if len(structs) == 0 {
			continue
		}
		lacking = append(lacking, block{client, structs})
		size += 24
		for _, s := range structs {
			size += len(s.raw)
		}
	}
	b := appendNumber(make([]byte, 0, size), uint64(len(lacking)))
	for _, x := range lacking {
		b = appendBlock(b, x)
	}
	return append(b, d.deletions()...)
}

// since returns the operations from clock on. The document's own slice is not changed.
func (h *history) since(client, clock uint64) []span {
	i := sort.Search(len(h.structs), func(i int) bool { return h.structs[i].end() > clock })
	if i == len(h.structs) || h.structs[i].clock >= clock {
		return h.structs[i:]
	}
	cut := slices.Clone(h.structs[i:])
	cut[0] = cut[0].tail(client, clock-cut[0].clock)
	return cut
}

// deletions are all deletions as bytes, kept until the next change.
func (d *Doc) deletions() []byte {
	if d.delSet == nil {
		b := appendNumber(nil, uint64(len(d.deleted)))
		for _, client := range falling(d.deleted) {
			b = appendDeletion(b, deletion{client, d.deleted[client]})
		}
		d.delSet = b
	}
	return d.delSet
}
