package whip

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip/follow"
	"github.com/turnout-rtc/turnout/signaling/whip/sdp"
)

// call is one WHIP or WHEP session. A goroutine of its own hears the room and does what requests want; it ends with the
// participant.
type call struct {
	// Set at construction, never changed.
	id           string // the last part of its URL
	session      Session
	plays        bool
	offered      []sdp.Media // that must be answered
	publications []protocol.Announcement
	wants        chan want
	over         chan struct{} // closed when it has ended

	// Owned by run.
	offer   string // the last one that was answered
	ufrag   string // the client's, of that offer
	etag    string // of the ICE session
	rev     int    // of the last offer
	request uint64 // number of the last request
	asked   *asked // nil: no offer is being answered
	view    *follow.View
}

// want is what a request asks of a call. outcome takes exactly one, unless the call ends before.
type want struct {
	do      func(answer chan<- outcome) // called by run
	outcome chan outcome                // has room for it
}

// outcome of a want.
type outcome struct {
	status  int
	body    string
	etag    string
	refusal *refusal // nil: it has been done
}

// asked is an offer that the room has not answered yet.
type asked struct {
	request uint64
	offer   string
	ufrag   string
	respond func(d sdp.Description, text string) outcome
	answer  chan<- outcome
}

// newID makes what nobody can guess: 130 bits.
func newID() string { return rand.Text() }

func newCall(s Session, offered []sdp.Media, plays bool) *call {
	return &call{id: newID(), session: s, plays: plays, offered: offered, wants: make(chan want), over: make(chan struct{})}
}

// run ends when the participant has left the room.
func (c *call) run() {
	defer close(c.over)
	for {
		for {
			r, ok := c.session.Hear()
			if !ok {
				break
			}
			if _, gone := r.Message.(protocol.Disconnect); gone {
				return
			}
			c.hear(r)
		}
		select {
		case <-c.session.Woken():
		case w := <-c.wants:
			w.do(w.outcome)
		}
	}
}

// ask has run do something. It says false if the call is over, or the client has gone.
func (c *call) ask(ctx context.Context, do func(answer chan<- outcome)) (outcome, bool) {
	w := want{do: do, outcome: make(chan outcome, 1)}
	select {
	case c.wants <- w:
	case <-c.over:
		return outcome{}, false
	case <-ctx.Done():
		return outcome{}, false
	}
	select {
	case o := <-w.outcome:
		return o, true
	case <-c.over:
		return outcome{}, false
	case <-ctx.Done():
		return outcome{}, false
	}
}

func (c *call) say(m protocol.ClientMessage) {
	c.request++
	c.session.Say(c.request, m)
}

func (c *call) hear(r protocol.Response) {
	if c.asked != nil && r.Re == c.asked.request {
		c.answered(r.Message)
		return
	}
	if c.view != nil {
		c.choose(c.view.Hear(r.Message))
	}
}

func (c *call) choose(choices []protocol.Subscribe) {
	for _, choice := range choices {
		c.say(choice)
	}
}

// negotiate gives an offer to the room.
func (c *call) negotiate(a asked) {
	if c.asked != nil {
		a.answer <- outcome{refusal: again(http.StatusConflict, protocol.MediaBadOffer, "another restart is being answered", "wait for its answer")}
		return
	}
	c.rev++
	a.request = c.request + 1
	c.asked = &a
	c.say(protocol.Offer{Transport: 1, Rev: c.rev, SDP: a.offer, Publications: c.publications})
}

func (c *call) answered(m protocol.ServerMessage) {
	a := c.asked
	c.asked = nil
	switch m := m.(type) {
	case protocol.Answer:
		d, err := sdp.Read(m.SDP)
		if err != nil {
			a.answer <- outcome{refusal: ofRoom(err)} // our own answer cannot be read: our fault
			return
		}
		c.offer, c.ufrag, c.etag = a.offer, a.ufrag, `"`+newID()[:12]+`"`
		// The client connects only when it has applied the answer, and no slot is new after the first one.
		c.session.Say(0, protocol.Ready{Rev: m.Rev})
		o := a.respond(d, m.SDP)
		o.etag = c.etag
		a.answer <- o
	case *protocol.Error:
		a.answer <- outcome{refusal: ofRoom(m)}
	}
}

// begin is what a POST wants.
func (c *call) begin(offer, ufrag string, choices []protocol.Subscribe) func(chan<- outcome) {
	return func(answer chan<- outcome) {
		c.choose(choices)
		c.negotiate(asked{offer: offer, ufrag: ufrag, answer: answer, respond: func(d sdp.Description, text string) outcome {
			if mid := sdp.Refused(c.offered, d); mid != "" {
				return outcome{refusal: refuse(http.StatusNotAcceptable, protocol.MediaBadOffer,
					"the m-line "+mid+" has no codec that is forwarded", "offer Opus for audio, and VP8, VP9, AV1 or H264 for video")}
			}
			return outcome{status: http.StatusCreated, body: text}
		}})
	}
}

// leave ends the call.
func (c *call) leave(chan<- outcome) { c.say(protocol.Leave{}) }

// patch is what a PATCH wants: candidates, or an ICE restart.
func (c *call) patch(f sdp.Fragment, matches func(etag string) bool) func(chan<- outcome) {
	return func(answer chan<- outcome) {
		switch {
		case !matches(c.etag):
			answer <- outcome{refusal: refuse(http.StatusPreconditionFailed, protocol.Malformed, "If-Match names another ICE session than the present one", "use the ETag of the last answer, or * for a restart")}
		case f.Ufrag == "" || f.Ufrag == c.ufrag:
			c.candidates(f)
			answer <- outcome{status: http.StatusNoContent}
		default:
			c.negotiate(asked{offer: sdp.Restarted(c.offer, f), ufrag: f.Ufrag, answer: answer, respond: func(d sdp.Description, _ string) outcome {
				c.candidates(f)
				return outcome{status: http.StatusOK, body: d.Fragment()}
			}})
		}
	}
}

func (c *call) candidates(f sdp.Fragment) {
	for _, candidate := range f.Candidates {
		c.session.Say(0, protocol.Candidate{Candidate: candidate.Candidate, SDPMid: candidate.MID, UsernameFragment: f.Ufrag})
	}
}
