package client

import (
	"fmt"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// negotiate makes an offer now, or after the one that is under way.
func (p *peer) negotiate() {
	if p.offering {
		p.again = true
		return
	}
	if err := p.offer(); err != nil {
		p.room.end(fmt.Errorf("client: offer: %w", err))
	}
}

// offer sends an offer. It becomes the local description with its answer: pion cannot roll one back that was refused.
func (p *peer) offer() error {
	sdp, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: p.iceAgain})
	if err != nil {
		return err
	}
	p.offering, p.again, p.iceAgain = true, false, false
	p.offered = append([]*Publication(nil), p.publications...)
	p.rev++
	p.room.link.forgetSaid() // candidates and ready of offers before
	offer := protocol.Offer{Transport: p.transport, Rev: p.rev, SDP: sdp.SDP, Publications: p.announcements()}
	p.room.link.request(offer, func(m protocol.ServerMessage) {
		if p.room.peer == p {
			p.offering = false
			p.answered(sdp, m)
		}
	})
	return nil
}

// announcements names the m-lines that carry a publication.
func (p *peer) announcements() []protocol.Announcement {
	var list []protocol.Announcement
	for _, t := range p.pc.GetTransceivers() {
		for _, pub := range p.publications {
			if t.Sender() == pub.sender {
				list = append(list, protocol.Announcement{MID: t.Mid(), ID: pub.ID(), Source: pub.published.Source, Muted: pub.published.Muted})
			}
		}
	}
	return list
}

// answered takes the reply to the offer under way.
func (p *peer) answered(offer webrtc.SessionDescription, m protocol.ServerMessage) {
	switch m := m.(type) {
	case protocol.Answer:
		if err := p.accept(offer, m); err != nil {
			p.room.end(fmt.Errorf("client: answer: %w", err))
			return
		}
		p.settle(nil)
	case *protocol.Error:
		if len(p.waiting) == 0 {
			p.room.end(m) // there is nothing that could be left out
			return
		}
		p.again = true // the rest, without what was refused
		p.settle(m)
	default:
		p.room.end(errUnexpected)
		return
	}
	if p.again {
		p.negotiate()
	}
}

func (p *peer) accept(offer webrtc.SessionDescription, m protocol.Answer) error {
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: m.SDP}); err != nil {
		return err
	}
	p.room.link.say(protocol.Ready{Rev: m.Rev})
	p.room.tracks.slots(m.Slots)
	return nil
}

// settle tells whoever waits for a publication of the offer how it went.
func (p *peer) settle(err error) {
	for _, pub := range p.offered {
		done, waits := p.waiting[pub]
		if !waits {
			continue
		}
		delete(p.waiting, pub)
		if err != nil {
			p.unpublish(pub)
		}
		done(err)
	}
}

// candidate tells the server of a candidate; nil is the end of them.
func (p *peer) candidate(c *webrtc.ICECandidate) {
	if p.room.peer != p {
		return
	}
	var m protocol.Candidate
	if c != nil {
		j := c.ToJSON()
		m.Candidate = j.Candidate
		if j.SDPMid != nil {
			m.SDPMid = *j.SDPMid
		}
		if j.SDPMLineIndex != nil {
			m.SDPMLineIndex = *j.SDPMLineIndex
		}
		if j.UsernameFragment != nil {
			m.UsernameFragment = *j.UsernameFragment
		}
	}
	p.room.link.say(m)
}
