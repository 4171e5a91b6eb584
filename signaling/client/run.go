package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// tick is how often run looks after heartbeats and acknowledgements.
const tick = 500 * time.Millisecond

// run owns the room's state until it ends, and takes everything down.
func (r *Room) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	r.readFrom(r.link.socket)
	r.emit(StateChanged{Connected})
	r.peer.negotiate()
	r.helloOverSocket()
	for r.err == nil {
		select {
		case f := <-r.calls:
			f()
		case now := <-ticker.C:
			r.beat(now)
		}
	}
	close(r.ended)
	r.cancel()
	r.link.close(r.err)
	r.tracks.close()
	r.peer.close()
	r.events <- StateChanged{Disconnected} // the place was kept free, see emit
	close(r.events)
	r.running.Wait()
	close(r.done)
}

// end ends the room at the next turn of run. The first reason counts.
func (r *Room) end(why error) {
	if r.err == nil {
		r.err = why
	}
}

// post has f carried out by run, unless the room has ended.
func (r *Room) post(f func()) {
	select {
	case <-r.ended:
	case r.calls <- f:
	}
}

// call has f carried out by run and waits. It says false if the room has ended first.
func (r *Room) call(f func()) bool {
	finished := make(chan struct{})
	r.post(func() { f(); close(finished) })
	select {
	case <-finished:
		return true
	case <-r.ended:
		return false
	}
}

// emit queues an event. One place is kept for the last one.
func (r *Room) emit(e Event) {
	if len(r.events) >= cap(r.events)-1 {
		r.end(ErrSlow)
		return
	}
	r.events <- e
}

// tell hands events to the application.
func (r *Room) tell() {
	for e := range r.events {
		r.opts.OnEvent(e)
	}
}

// beat sends what is due now and then.
func (r *Room) beat(now time.Time) {
	r.link.beat(now)
	if r.stream.ackDue() || (r.stream.open && r.stream.presence > 0) { // an ack renews the presence, too
		_ = r.sendReliable(r.stream.ack()) // a wire that is gone is replaced with a hello
	}
}

// request sends a request and waits until it is carried out. A refusal is a *protocol.Error.
func (r *Room) request(ctx context.Context, m protocol.ClientMessage) error {
	reply := make(chan protocol.ServerMessage, 1)
	r.post(func() { r.link.request(m, func(m protocol.ServerMessage) { reply <- m }) })
	select {
	case m := <-reply:
		if refused, ok := m.(*protocol.Error); ok {
			return refused
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return r.err
	}
}

// received takes one message of the server's.
func (r *Room) received(from *socket, m protocol.Response) {
	if !r.link.take(from, m) {
		return
	}
	for _, e := range r.roster.apply(m.Message) {
		r.emit(e)
	}
	switch m := m.Message.(type) {
	case protocol.Slots:
		r.peer.want(m)
	case protocol.NeedOffer:
		r.needOffer(m.Reason)
	case protocol.SlotMap:
		r.tracks.show(m)
	case protocol.Published, protocol.PublicationUpdated, protocol.Unpublished, protocol.ParticipantLeft:
		r.tracks.refresh()
	case protocol.ICEServers:
		r.peer.setServers(m.ICEServers)
	case protocol.Draining:
		r.emit(Draining{m.DeadlineMs})
	case protocol.Disconnect:
		r.disconnected(m)
	}
}

func (r *Room) disconnected(m protocol.Disconnect) {
	if m.Reason == protocol.Left {
		r.end(ErrLeft)
		return
	}
	r.end(&DisconnectError{Reason: m.Reason, Message: m.Message, Retryable: m.Retryable})
}

func (r *Room) needOffer(why protocol.OfferReason) {
	if why == protocol.ICERestart {
		r.peer.restart()
		return
	}
	old := r.peer
	next, err := newPeer(r, r.joined, old.transport+1)
	if err != nil {
		r.end(err)
		return
	}
	next.adopt(old)
	r.peer = next
	if !r.opts.SocketData {
		r.stream.unwired()
	}
	r.tracks.close()
	r.tracks = newTracks(r)
	r.running.Go(old.close)
	next.negotiate()
}

func (r *Room) send(f frame.Send) (uint64, error) {
	id, wire, err := r.stream.send(f)
	if err != nil {
		return 0, err
	}
	for _, w := range wire {
		if f.Lossy {
			r.sendLossy(w)
		} else {
			_ = r.sendReliable(w) // what is lost with a wire is sent again on the next
		}
	}
	return id, nil
}

// heard takes a wire message of the reliable lane.
func (r *Room) heard(wire []byte) {
	out, err := r.stream.take(wire)
	if err != nil {
		r.opts.Log.Warn("the server's data cannot be read", "err", err)
		return
	}
	for _, w := range out.wire {
		_ = r.sendReliable(w)
	}
	for _, e := range out.events {
		r.emit(e)
	}
}

// heardLossy takes a wire message of the lossy lane.
func (r *Room) heardLossy(wire []byte) {
	for len(wire) > 0 {
		raw, rest, err := frame.Next(wire)
		if err != nil {
			return
		}
		wire = rest
		if f, err := frame.Decode(raw); err == nil {
			if e := dataEvent(f); e != nil {
				r.emit(e)
			}
		}
	}
}

// newID is the id of a publication: 96 random bits, so that it is nobody else's.
func newID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails, it ends the program instead
	return "TR_" + base64.RawURLEncoding.EncodeToString(b)
}

var errUnexpected = errors.New("client: the server's reply is not of the expected type")
