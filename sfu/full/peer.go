package full

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/link"
)

// Peer is the server's end of one RTCPeerConnection. Its methods are called by one goroutine, but for those of its senders,
// tracks and channels.
type Peer struct {
	host *Host
	pc   *webrtc.PeerConnection
	done chan struct{} // closed when Close begins

	mu      sync.Mutex
	closing bool           // guarded by mu
	running sync.WaitGroup // goroutines of start; added to under mu
}

// NewPeer makes a peer that has not negotiated yet.
func (h *Host) NewPeer(on link.Handlers) (link.Peer, error) {
	pc, err := h.api.NewPeerConnection(webrtc.Configuration{
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
		Certificates: []webrtc.Certificate{h.certificate},
	})
	if err != nil {
		return nil, err
	}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { on.State(s.String()) })
	p := &Peer{host: h, pc: pc, done: make(chan struct{})}
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { on.Track(newTrack(p, t, r)) })
	pc.OnDataChannel(func(d *webrtc.DataChannel) { openChannel(p, d, on) })
	return p, nil
}

// start runs f in a goroutine that Close waits for. It says whether it did; a peer that is closing starts nothing.
func (p *Peer) start(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.running.Go(f)
	return true
}

// Answer applies an offer and returns the answer, with all candidates, and a sender for each of slots, in their order. After
// an error the peer cannot be used any more.
func (p *Peer) Answer(ctx context.Context, offer string, slots []link.Slot) (string, []link.Sender, error) {
	senders := make([]*Sender, 0, len(slots))
	handed := make([]link.Sender, 0, len(slots))
	transceivers := make([]*webrtc.RTPTransceiver, 0, len(slots))
	for _, s := range slots {
		sender := newSender(p, s)
		// Before the offer is applied, so that pion pairs it with the m-line.
		t, err := p.pc.AddTransceiverFromTrack(sender, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return "", nil, err
		}
		senders, transceivers = append(senders, sender), append(transceivers, t)
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", nil, fmt.Errorf("%w: %w", link.ErrOffer, err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", nil, fmt.Errorf("answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", nil, fmt.Errorf("answer: %w", err)
	}
	for i, t := range transceivers {
		if t.Mid() != slots[i].MID {
			return "", nil, fmt.Errorf("slot %s was paired with m-line %q instead of %q", slots[i].ID, t.Mid(), slots[i].MID)
		}
		senders[i].bindTo(t.Sender(), slots[i].MID)
		handed = append(handed, senders[i])
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return "", nil, fmt.Errorf("candidates: %w", context.Cause(ctx))
	}
	sdp := p.pc.LocalDescription().SDP
	if p.host.rewrite {
		sdp = withCandidates(sdp, p.host.advertised)
	}
	return sdp, handed, nil
}

// AddCandidate adds a candidate of the client's.
func (p *Peer) AddCandidate(candidate, mid string, line uint16, ufrag string) error {
	init := webrtc.ICECandidateInit{Candidate: candidate, SDPMLineIndex: &line}
	if mid != "" {
		init.SDPMid = &mid
	}
	if ufrag != "" {
		init.UsernameFragment = &ufrag
	}
	return p.pc.AddICECandidate(init)
}

// Close ends the connection and waits for its goroutines. It may be called twice, but not from a handler.
func (p *Peer) Close() error {
	p.mu.Lock()
	if !p.closing {
		p.closing = true
		close(p.done)
	}
	p.mu.Unlock()
	err := p.pc.GracefulClose()
	p.running.Wait()
	if errors.Is(err, webrtc.ErrConnectionClosed) {
		return nil
	}
	return err
}
