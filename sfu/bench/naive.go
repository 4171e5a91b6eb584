//go:build linux

package main

import (
	"net"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// naive is the forwarder that everybody writes first: a PeerConnection of pion's for each participant, with its default
// interceptors, and a TrackLocalStaticRTP for each track, which writes every packet to every subscriber.
type naive struct {
	api *webrtc.API

	mu     sync.Mutex
	tracks map[string]*webrtc.TrackLocalStaticRTP // guarded by mu; by participant and kind
	peers  map[string]*webrtc.PeerConnection      // guarded by mu
}

func newNaive() (*naive, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	i := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(m, i); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(net.IP.IsLoopback)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	s.SetICEMulticastDNSMode(0)
	// The same cipher as ours, or the comparison would be of ciphers.
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return nil, err
	}
	return &naive{
		api:    webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(i), webrtc.WithSettingEngine(s)),
		tracks: map[string]*webrtc.TrackLocalStaticRTP{}, peers: map[string]*webrtc.PeerConnection{},
	}, nil
}

// track is what a participant publishes, or will.
func (n *naive) track(id, kind string) (*webrtc.TrackLocalStaticRTP, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.tracks[id+kind]; t != nil {
		return t, nil
	}
	mime := webrtc.MimeTypeVP8
	if kind == "audio" {
		mime = webrtc.MimeTypeOpus
	}
	t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, id)
	n.tracks[id+kind] = t
	return t, err
}

func (n *naive) join(j join) (string, error) {
	pc, err := n.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	n.peers[j.ID] = pc
	n.mu.Unlock()
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		local, err := n.track(j.ID, remote.Kind().String())
		if err != nil {
			return
		}
		go drain(receiver)
		for {
			p, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			_ = local.WriteRTP(p) // a subscriber that is gone
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: j.SDP}); err != nil {
		return "", err
	}
	for _, id := range j.Watch {
		for _, kind := range []string{"audio", "video"} {
			t, err := n.track(id, kind)
			if err != nil {
				return "", err
			}
			sender, err := pc.AddTrack(t)
			if err != nil {
				return "", err
			}
			go drain(sender)
		}
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

// drain reads the RTCP that interceptors want to see.
func drain(r interface {
	Read(b []byte) (int, interceptor.Attributes, error)
}) {
	b := make([]byte, 1500)
	for {
		if _, _, err := r.Read(b); err != nil {
			return
		}
	}
}

func (n *naive) leave(id string) {
	n.mu.Lock()
	pc := n.peers[id]
	delete(n.peers, id)
	n.mu.Unlock()
	if pc != nil {
		_ = pc.Close()
	}
}
