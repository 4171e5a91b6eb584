package client

import (
	"errors"
	"fmt"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// peer is one PeerConnection and its negotiation: the client offers, one offer at a time (docs/reference/signaling.md §5).
// Owned by run.
type peer struct {
	room      *Room
	pc        *webrtc.PeerConnection
	reliable  *webrtc.DataChannel
	lossy     *webrtc.DataChannel
	transport int

	rev      int
	offering bool
	again    bool // something has changed since the offer
	iceAgain bool // the next offer restarts ICE
	wished   int  // the last Slots.Rev

	slots        map[webrtc.RTPCodecType]int
	publications []*Publication
	waiting      map[*Publication]func(error) // those that no answer has covered yet
	offered      []*Publication               // in the offer under way
}

// newPeer makes a PeerConnection with the slots that the server has asked for and both data channels.
func newPeer(r *Room, j protocol.Joined, transport int) (*peer, error) {
	pc, err := newPeerConnection(r.opts, j.ICEServers)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	p := &peer{room: r, pc: pc, transport: transport, slots: map[webrtc.RTPCodecType]int{}, waiting: map[*Publication]func(error){}}
	if r.peer != nil {
		p.rev = r.peer.rev
	}
	if err := errors.Join(p.openData(), p.addSlots(j.Slots.Audio, j.Slots.Video)); err != nil {
		_ = pc.Close()
		return nil, fmt.Errorf("client: %w", err)
	}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) { r.post(func() { p.candidate(c) }) })
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed {
			r.post(func() {
				if r.peer == p {
					p.restart()
				}
			})
		}
	})
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		mid := receiver.RTPTransceiver().Mid()
		r.post(func() {
			if r.peer == p {
				r.tracks.receive(mid, remote, func() error {
					return pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(remote.SSRC())}})
				})
			}
		})
	})
	return p, nil
}

func newPeerConnection(o Options, servers []protocol.ICEServer) (*webrtc.PeerConnection, error) {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	media, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := webrtc.RegisterDefaultInterceptorsWithOptions(media, interceptors, webrtc.WithInterceptorLoggerFactory(quiet)); err != nil {
		return nil, err
	}
	settings := webrtc.SettingEngine{LoggerFactory: quiet}
	if o.Engine != nil {
		o.Engine(&settings)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors), webrtc.WithSettingEngine(settings))
	policy := webrtc.ICETransportPolicyAll
	if o.RelayOnly {
		policy = webrtc.ICETransportPolicyRelay
	}
	return api.NewPeerConnection(webrtc.Configuration{ICEServers: iceServers(servers), ICETransportPolicy: policy, BundlePolicy: webrtc.BundlePolicyMaxBundle})
}

func iceServers(from []protocol.ICEServer) []webrtc.ICEServer {
	var servers []webrtc.ICEServer
	for _, s := range from {
		servers = append(servers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	return servers
}

// openData opens the two lanes of docs/reference/data.md §1.
func (p *peer) openData() error {
	if p.room.opts.SocketData {
		return nil
	}
	var err error
	if p.reliable, err = p.pc.CreateDataChannel("turnout.reliable", nil); err != nil {
		return err
	}
	ordered, never := false, uint16(0)
	if p.lossy, err = p.pc.CreateDataChannel("turnout.lossy", &webrtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: &never}); err != nil {
		return err
	}
	r := p.room
	p.reliable.OnOpen(func() { r.post(func() { _ = p.reliable.Send(r.stream.hello()) }) })
	p.reliable.OnMessage(func(m webrtc.DataChannelMessage) {
		r.post(func() {
			if r.peer == p {
				r.heard(m.Data)
			}
		})
	})
	p.lossy.OnMessage(func(m webrtc.DataChannelMessage) { r.post(func() { r.heardLossy(m.Data) }) })
	return nil
}

// addSlots adds recvonly m-lines up to these totals.
func (p *peer) addSlots(audio, video int) error {
	for kind, total := range map[webrtc.RTPCodecType]int{webrtc.RTPCodecTypeAudio: audio, webrtc.RTPCodecTypeVideo: video} {
		for ; p.slots[kind] < total; p.slots[kind]++ {
			if _, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				return err
			}
		}
	}
	return nil
}

// want takes the server's wish for more slots.
func (p *peer) want(m protocol.Slots) {
	if m.Rev <= p.wished {
		return
	}
	p.wished = m.Rev
	if err := p.addSlots(m.Audio, m.Video); err != nil {
		p.room.opts.Log.Warn("cannot add slots", "err", err)
		return
	}
	p.negotiate()
}

func (p *peer) restart() {
	p.iceAgain = true
	p.negotiate()
}

func (p *peer) setServers(servers []protocol.ICEServer) {
	c := p.pc.GetConfiguration()
	c.ICEServers = iceServers(servers)
	if err := p.pc.SetConfiguration(c); err != nil {
		p.room.opts.Log.Warn("cannot use the new ICE servers", "err", err)
	}
}

// publish adds a track; done is called when the server has agreed, or not.
func (p *peer) publish(pub *Publication, done func(error)) {
	if err := p.addTrack(pub); err != nil {
		done(err)
		return
	}
	p.waiting[pub] = done
	p.negotiate()
}

func (p *peer) addTrack(pub *Publication) error {
	init := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
	transceiver, err := p.pc.AddTransceiverFromTrack(pub.track, init)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	pub.sender = transceiver.Sender()
	p.publications = append(p.publications, pub)
	for _, layer := range pub.layers {
		if err := pub.sender.AddEncoding(layer); err != nil {
			return fmt.Errorf("client: %w", err)
		}
	}
	sender := pub.sender
	p.room.running.Go(func() { listen(sender.ReadRTCP, pub.track) })
	for _, layer := range pub.layers {
		read := sender.ReadSimulcastRTCP
		rid := layer.RID()
		p.room.running.Go(func() { listen(func() ([]rtcp.Packet, interceptor.Attributes, error) { return read(rid) }, layer) })
	}
	return nil
}

// listen reads RTCP until the sender stops: interceptors see it only while it is read.
func listen(read func() ([]rtcp.Packet, interceptor.Attributes, error), track webrtc.TrackLocal) {
	for {
		packets, _, err := read()
		if err != nil {
			return
		}
		framer, ok := track.(KeyFramer)
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				if ok {
					framer.KeyFrameRequested()
				}
			}
		}
	}
}

// unpublish stops sending. The m-line stays, inactive; the next offer says so.
func (p *peer) unpublish(pub *Publication) {
	for i, known := range p.publications {
		if known == pub {
			p.publications = append(p.publications[:i:i], p.publications[i+1:]...)
			_ = pub.sender.Stop()
			_ = p.pc.RemoveTrack(pub.sender)
			return
		}
	}
}

// adopt takes over what the old transport published.
func (p *peer) adopt(old *peer) {
	for _, pub := range old.publications {
		if err := p.addTrack(pub); err != nil {
			p.room.opts.Log.Warn("cannot publish again", "publication", pub.ID(), "err", err)
		}
	}
	p.waiting = old.waiting
}

func (p *peer) close() { _ = p.pc.GracefulClose() }
