package lite

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/demux"
	"github.com/turnout-rtc/turnout/sfu/lite/icefull"
	"github.com/turnout-rtc/turnout/sfu/lite/icelite"
	"github.com/turnout-rtc/turnout/sfu/netio"
)

// batch datagrams are taken from a socket at once.
const batch = 128

// reader is what the goroutine of one socket works with.
type reader struct {
	server  *Server
	port    *port
	packets [batch]netio.Packet
	kinds   [batch]demux.Kind
	owners  [batch]*Transport
	foreign *Foreign // nil while nobody asks
	media   []Received
	due     []*connection // with something to send, perhaps
	out     *Outlet       // for that
	bound   bool          // a check of this batch may have told whose a path is
	scratch icelite.Scratch
	asked   icefull.Scratch
}

// read is the goroutine of a UDP socket.
func (s *Server) read(p *port) {
	defer close(p.done)
	r := &reader{server: s, port: p, media: make([]Received, 0, batch), out: s.NewOutlet()}
	_ = p.sock.Serve(r.packets[:], func(n int) { r.handle(time.Now(), n) }) // until it is closed; nothing else ends a UDP socket
}

// handle takes over the first n packets.
func (r *reader) handle(now time.Time, n int) {
	r.foreign = r.port.foreign.Load()
	r.route(n)
	for j := range n {
		r.take(now, j)
	}
	if len(r.media) > 0 { // first: it cannot wait
		r.server.cfg.Media(r.media)
		clear(r.media)
		r.media = r.media[:0]
	}
	r.answer(now)
	clear(r.packets[:n])
	clear(r.owners[:n])
	r.bound = false
}

// route finds the owner of all but STUN by path. Packets of one peer come in runs, so most need no look-up.
func (r *reader) route(n int) {
	var last demux.Path
	var owner *Transport
	r.server.mu.RLock()
	defer r.server.mu.RUnlock()
	for j := range n {
		p := &r.packets[j]
		switch r.kinds[j] = demux.Classify(p.Data); r.kinds[j] {
		case demux.STUN, demux.Channel, demux.Unknown:
			continue
		}
		if path := (demux.Path{Socket: r.port.number, Remote: p.From}); path != last {
			last = path
			owner, _ = r.server.table.ByPath(path)
		}
		r.owners[j] = owner
	}
}

// answer sends what data channels have to say to what has arrived.
func (r *reader) answer(now time.Time) {
	if len(r.due) == 0 {
		return
	}
	told := r.due[:0]
	for _, c := range r.due {
		if c.pour(now, r.out) {
			told = append(told, c)
		}
	}
	r.out.Flush()
	for _, c := range told {
		c.tell()
	}
	clear(r.due)
	r.due = r.due[:0]
}

// take hands packet j on, or drops it.
func (r *reader) take(now time.Time, j int) {
	p := r.packets[j]
	switch kind := r.kinds[j]; {
	case kind == demux.STUN:
		r.stun(p)
	case kind == demux.Channel && r.foreign != nil:
		r.foreign.push(p)
	case kind == demux.Unknown || kind == demux.Channel:
		r.server.count.noise.Add(1)
		p.Release()
	default:
		r.known(now, j)
	}
}

// known takes over a packet that belongs to whose path it came on.
func (r *reader) known(now time.Time, j int) {
	p, t := r.packets[j], r.owners[j]
	if t == nil && r.bound { // the first packets of a peer may come in one batch with its first check
		r.server.mu.RLock()
		t, _ = r.server.table.ByPath(demux.Path{Socket: r.port.number, Remote: p.From})
		r.server.mu.RUnlock()
	}
	switch {
	case t == nil:
		r.server.count.stranger.Add(1)
		p.Release()
	case r.kinds[j] == demux.DTLS:
		if c := t.control(now, p); c != nil && c.marked.CompareAndSwap(false, true) { // else somebody sends already
			r.due = append(r.due, c)
		}
	default:
		r.media = append(r.media, Received{From: t, Kind: r.kinds[j], Packet: p})
	}
}

// stun takes over a STUN message.
func (r *reader) stun(p netio.Packet) {
	purpose, ufrag := demux.PurposeOf(p.Data)
	switch {
	case purpose == demux.Check:
		r.check(p, ufrag)
		r.bound = true
		p.Release()
	case purpose == demux.Query && r.foreign != nil:
		r.foreign.push(p)
	case purpose == demux.Reply && r.server.asking != nil:
		r.server.asking.answered(demux.Path{Socket: r.port.number, Remote: p.From}, p.Data, &r.asked)
		p.Release()
	default:
		r.server.count.badCheck.Add(1)
		p.Release()
	}
}

// check answers a connectivity check.
func (r *reader) check(p netio.Packet, ufrag []byte) {
	from := demux.Path{Socket: r.port.number, Remote: p.From}
	if _, reply := r.server.check(from, p.Data, ufrag, nil, &r.scratch); reply != nil {
		_ = r.port.sock.WriteTo(reply, p.From) // a check that is lost is sent again
	}
}

// check finds the owner of a binding request for ufrag, lets it decide, and learns the path. The reply is valid until the scratch is
// used again. via is the TCP connection it came on, nil for UDP. The transport is nil if the request was not authentic.
func (s *Server) check(from demux.Path, raw, ufrag []byte, via *stream, scratch *icelite.Scratch) (*Transport, []byte) {
	now := time.Now()
	s.mu.RLock()
	t, known := s.table.ByUfrag(ufrag)
	free := known && s.table.MayBind(now, from, t)
	s.mu.RUnlock()
	switch {
	case !known:
		s.count.unknownUfrag.Add(1)
		return nil, nil
	case !free:
		s.count.pathTaken.Add(1)
		return nil, nil
	}
	result, err := t.request(now, from, raw, via, scratch)
	if err != nil {
		s.count.badCheck.Add(1)
		return nil, result.Reply
	}
	s.mu.Lock()
	if via == nil && s.table.Bind(now, from, t) != nil { // another transport was quicker, or this one is closed
		s.count.pathTaken.Add(1)
	}
	s.table.RemoveUfrag(result.Retired)
	s.mu.Unlock()
	return t, result.Reply
}
