package demux

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Path is one way to reach a peer: a socket of ours and an address of theirs.
type Path struct {
	Socket int // the caller's number for the local socket
	Remote netip.AddrPort
}

// Limits of a Table. The zero value of a field means its default.
type Limits struct {
	Paths int           // per owner; the one longest not heard on makes room. Default 16
	Alive time.Duration // how long a path stays its owner's after its last request. Default 15 s
}

// Defaults of Limits. Alive: consent checks come every 4 to 6 s (RFC 7675 §5.1), two of them may be lost.
const (
	defaultPaths = 16
	defaultAlive = 15 * time.Second
)

// Errors of Table.
var (
	ErrUfragTaken = errors.New("demux: the ufrag belongs to another owner")
	ErrPathTaken  = errors.New("demux: the path belongs to an owner who is alive")
	ErrNoOwner    = errors.New("demux: the owner has no ufrag here")
)

// Table maps ufrags and paths to owners. It is owned by whoever made it.
//
// A request is always routed by its ufrag, also when its path is known: the path may have been another's (RFC 8445 restart,
// a reused port). Everything else is routed by path. A path is learned from an authenticated request, and not taken from an
// owner who was heard on it lately: a client that passes authentication can still forge its source address.
type Table[O comparable] struct {
	limits Limits
	ufrags map[string]O
	paths  map[Path]pathState[O]
	owners map[O]*owned
}

type pathState[O comparable] struct {
	owner O
	heard time.Time
}

type owned struct {
	ufrags []string
	paths  []Path
}

// NewTable makes an empty Table.
func NewTable[O comparable](l Limits) *Table[O] {
	if l.Paths <= 0 {
		l.Paths = defaultPaths
	}
	if l.Alive <= 0 {
		l.Alive = defaultAlive
	}
	return &Table[O]{limits: l, ufrags: map[string]O{}, paths: map[Path]pathState[O]{}, owners: map[O]*owned{}}
}

// AddUfrag makes o an owner with one more ufrag. Twice is once.
func (t *Table[O]) AddUfrag(ufrag string, o O) error {
	if have, ok := t.ufrags[ufrag]; ok {
		if have != o {
			return fmt.Errorf("%w: %s", ErrUfragTaken, ufrag)
		}
		return nil
	}
	w := t.owners[o]
	if w == nil {
		w = &owned{}
		t.owners[o] = w
	}
	w.ufrags = append(w.ufrags, ufrag)
	t.ufrags[ufrag] = o
	return nil
}

// RemoveUfrag forgets a ufrag that has been replaced. Its owner's paths stay.
func (t *Table[O]) RemoveUfrag(ufrag string) {
	o, ok := t.ufrags[ufrag]
	if !ok {
		return
	}
	delete(t.ufrags, ufrag)
	w := t.owners[o]
	for i, u := range w.ufrags {
		if u == ufrag {
			w.ufrags = append(w.ufrags[:i], w.ufrags[i+1:]...)
			break
		}
	}
}

// Remove forgets an owner with its ufrags and paths.
func (t *Table[O]) Remove(o O) {
	w := t.owners[o]
	if w == nil {
		return
	}
	for _, u := range w.ufrags {
		delete(t.ufrags, u)
	}
	for _, p := range w.paths {
		delete(t.paths, p)
	}
	delete(t.owners, o)
}

// RemoveSocket forgets the paths of a socket.
func (t *Table[O]) RemoveSocket(number int) {
	for p, s := range t.paths {
		if p.Socket == number {
			delete(t.paths, p)
			t.owners[s.owner].dropPath(p)
		}
	}
}

// ByUfrag is the owner of a binding request.
func (t *Table[O]) ByUfrag(ufrag []byte) (O, bool) {
	o, ok := t.ufrags[string(ufrag)]
	return o, ok
}

// ByPath is the owner of anything else.
func (t *Table[O]) ByPath(p Path) (O, bool) {
	s, ok := t.paths[p]
	return s.owner, ok
}

// MayBind says whether Bind would succeed. It changes nothing: a request from a path that is another's needs no answer.
func (t *Table[O]) MayBind(now time.Time, p Path, o O) bool {
	s, known := t.paths[p]
	return t.owners[o] != nil && (!known || s.owner == o || now.Sub(s.heard) >= t.limits.Alive)
}

// Bind says that an authenticated request of o came in on p.
func (t *Table[O]) Bind(now time.Time, p Path, o O) error {
	w := t.owners[o]
	if w == nil {
		return ErrNoOwner
	}
	s, known := t.paths[p]
	if known && s.owner == o {
		t.paths[p] = pathState[O]{o, now}
		return nil
	}
	if !t.MayBind(now, p, o) {
		return ErrPathTaken
	}
	if known {
		t.owners[s.owner].dropPath(p)
	}
	if len(w.paths) >= t.limits.Paths {
		delete(t.paths, t.evict(w))
	}
	w.paths = append(w.paths, p)
	t.paths[p] = pathState[O]{o, now}
	return nil
}

// evict takes the path longest not heard on from w.
func (t *Table[O]) evict(w *owned) Path {
	oldest := w.paths[0]
	for _, p := range w.paths[1:] {
		if t.paths[p].heard.Before(t.paths[oldest].heard) {
			oldest = p
		}
	}
	w.dropPath(oldest)
	return oldest
}

func (w *owned) dropPath(p Path) {
	for i := range w.paths {
		if w.paths[i] == p {
			w.paths = append(w.paths[:i], w.paths[i+1:]...)
			return
		}
	}
}
