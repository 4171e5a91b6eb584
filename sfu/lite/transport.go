package lite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/turnout-rtc/turnout/sfu/lite/answer"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/srtpkeys"
)

// Transport is the server's end of one participant's RTCPeerConnection. Its methods may be called from any goroutine.
type Transport struct {
	// Set at construction, never changed.
	server *Server
	emit   func(Event)
	tag    uint32 // of its checks, see icefull.Tag
	ctx    context.Context
	cancel context.CancelFunc

	path  atomic.Pointer[Path]          // nil without consent to send
	keys  atomic.Pointer[srtpkeys.Keys] // nil until DTLS is finished
	state atomic.Value                  // State; written under mu
	conn  atomic.Pointer[connection]    // nil until DTLS is finished; written under mu
	data  atomic.Pointer[answer.Data]   // nil until data channels were agreed on

	negotiating sync.Mutex // held by Answer
	agreed      agreement  // guarded by negotiating

	mu sync.Mutex
	// Guarded by mu.
	agent        agent
	fingerprints []answer.Fingerprint
	queue        *queue // under the handshake; nil before and after it
	life         life
}

// life is how far a transport has come.
type life struct {
	calls  bool // we are the DTLS client
	shaken bool // the handshake is over
	ended  bool // DTLS is over: by the peer, or because the handshake failed
	closed bool // by us
}

// agreement is what the last offer and answer came to.
type agreement struct {
	offer       [sha256.Size]byte // hash of its text
	description *answer.Description
	local       answer.Local
}

func newTransport(s *Server, emit func(Event)) *Transport {
	t := &Transport{server: s, emit: emit}
	t.agent.streams = map[int]*stream{}
	if a := s.asking; a != nil {
		t.tag = a.tag(t)
		t.agent.asks = icefull.NewChecker(t.tag, icefull.Limits{Candidates: s.cfg.Limits.Candidates})
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.state.Store(New)
	var id [8]byte
	_, _ = rand.Read(id[:])
	t.agreed.local = answer.Local{
		Lite: s.asking == nil, Fingerprint: s.id.fingerprint, CNAME: rand.Text()[:16],
		Session: binary.BigEndian.Uint64(id[:]) >> 2, MaxMessageSize: uint32(s.cfg.Limits.Message),
	}
	return t
}

// Answer applies an offer and returns the answer. The same offer again gets the same answer again. An error is an
// *answer.Error, or ErrClosed; the transport is then as it was before.
func (t *Transport) Answer(offer string) (string, *answer.Description, error) {
	t.negotiating.Lock()
	defer t.negotiating.Unlock()
	if t.State() == Closed {
		return "", nil, ErrClosed
	}
	hash := sha256.Sum256([]byte(offer))
	if a := &t.agreed; a.description != nil && a.offer == hash {
		return a.description.SDP(a.local), a.description, nil
	}
	o, err := answer.Parse(offer, t.server.cfg.Offer)
	if err != nil {
		return "", nil, err
	}
	next, before := t.agreed, t.agreed.description
	next.offer = hash
	next.description, err = answer.Compute(o, before, t.server.cfg.Policy, t.server.cfg.Offer, randomSSRC)
	if err != nil {
		return "", nil, err
	}
	if before == nil || before.ICE != o.ICE {
		fresh, err := t.server.register(t)
		if err != nil {
			return "", nil, err
		}
		next.local.ICE, next.local.Candidates = answer.ICE(fresh), t.server.Advertised()
		t.restart(fresh, icelite.Credentials(next.description.ICE)) // not the offer's, which would keep its text
	}
	next.local.Version++
	t.agreed = next
	t.apply(next.description)
	return next.description.SDP(next.local), next.description, nil
}

func randomSSRC() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}

// apply takes over what DTLS and SCTP need to know of a description.
func (t *Transport) apply(d *answer.Description) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fingerprints, t.life.calls = d.Fingerprints, d.Active
	if d.Data != nil {
		t.data.Store(d.Data)
	}
}

// Keys are those of SRTP, once DTLS is finished.
func (t *Transport) Keys() (srtpkeys.Keys, bool) {
	if k := t.keys.Load(); k != nil {
		return *k, true
	}
	return srtpkeys.Keys{}, false
}

// State is the state now.
func (t *Transport) State() State { return t.state.Load().(State) }

// Close ends the transport, and tells the peer by DTLS. It waits for nothing and may be called twice. No event begins after it.
func (t *Transport) Close() {
	t.mu.Lock()
	t.life.closed = true
	t.publish()
	conn := t.conn.Load()
	t.mu.Unlock()
	t.cancel()
	if conn != nil {
		conn.close()
	}
	t.server.remove(t, t.tearDown)
}

func (t *Transport) tearDown() {
	if conn := t.conn.Load(); conn != nil {
		conn.goodbye()
	}
	t.path.Store(nil)
	t.mu.Lock()
	streams := t.agent.streams
	t.agent.streams = nil
	t.mu.Unlock()
	for _, s := range streams {
		_ = s.conn.Close()
	}
}

// end says that DTLS is over.
func (t *Transport) end() {
	t.mu.Lock()
	t.life.ended = true
	changed := t.publish()
	conn := t.conn.Load()
	t.mu.Unlock()
	if conn != nil {
		conn.end()
	}
	t.tell(changed)
}

func (t *Transport) tell(changed bool) {
	if changed {
		t.emit(StateChanged{})
		t.call()
	}
}
