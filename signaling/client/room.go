package client

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/datachannel/frame"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Room is a room as one participant has it. Its methods may be called from any goroutine, from OnEvent, too.
type Room struct {
	// Set at construction, never changed.
	opts   Options
	url    string
	joined protocol.Joined
	ctx    context.Context //nolint:containedctx // ends the room's own goroutines
	cancel context.CancelFunc
	calls  chan func()   // what run carries out
	ended  chan struct{} // closed when run takes no more calls
	done   chan struct{} // closed when nothing of the room runs any more
	events chan Event    // closed by run

	running sync.WaitGroup // all goroutines but run

	// Owned by run.
	link   *link
	peer   *peer
	roster *roster
	tracks *tracks
	stream stream
	err    error // why it ended; everyone may read it when ended is closed
}

// Join connects to the server at an http, https, ws or wss URL and joins the room that the token names. The error is a
// *protocol.Error when the server refused.
func Join(ctx context.Context, server, token string, o Options) (*Room, error) {
	o = o.withDefaults()
	address, err := socketURL(server)
	if err != nil {
		return nil, err
	}
	s, err := dial(ctx, address, o.Dial)
	if err != nil {
		return nil, err
	}
	subscribe := !o.NoSubscribe
	join := protocol.Join{Protocol: protocol.Version, Token: token, Client: o.Program, AutoSubscribe: &subscribe}
	first, err := s.greet(ctx, 1, join)
	if err != nil {
		s.close()
		return nil, err
	}
	joined, ok := first.Message.(protocol.Joined)
	if !ok {
		s.close()
		return nil, errors.New("client: the server's first message is not joined")
	}
	r := &Room{
		opts: o, url: address, joined: joined,
		calls: make(chan func(), 64), ended: make(chan struct{}), done: make(chan struct{}), events: make(chan Event, o.QueueEvents),
		roster: newRoster(joined),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.link = newLink(s, joined, first.N)
	r.tracks = newTracks(r)
	if r.peer, err = newPeer(r, joined, 1); err != nil {
		s.close()
		r.cancel()
		return nil, err
	}
	r.running.Go(r.tell)
	go r.run() //nolint:contextcheck // outlives ctx; waited for by done
	return r, nil
}

// Self is this participant as the others see it.
func (r *Room) Self() protocol.Participant { return r.joined.Self }

// Permissions are what this participant may do.
func (r *Room) Permissions() protocol.Permissions { return r.joined.Permissions }

// Participants are all of the room, oneself first.
func (r *Room) Participants() []protocol.Participant {
	var all []protocol.Participant
	r.call(func() { all = r.roster.list() })
	return all
}

// Done is closed when the room has been left, by whichever side, and nothing of it runs any more. Then Err says why.
func (r *Room) Done() <-chan struct{} { return r.done }

// Err is nil until the room has ended, and then ErrLeft, ErrLost, ErrSlow, a *DisconnectError or a *protocol.Error.
func (r *Room) Err() error {
	select {
	case <-r.ended:
		return r.err
	default:
		return nil
	}
}

// Leave says goodbye, waits for the server's, until ctx is done, and closes the room.
func (r *Room) Leave(ctx context.Context) error {
	err := r.request(ctx, protocol.Leave{})
	r.Close()
	if errors.Is(err, ErrLeft) {
		return nil
	}
	return err
}

// Close leaves without waiting for the server and waits for the room's goroutines. It must not be called from OnEvent; it may
// be called twice.
func (r *Room) Close() {
	r.post(func() { r.end(ErrLeft) })
	<-r.done
}

// Publish offers a track to the room. Track's codec must be one that pion registers by default. It returns when the server has
// agreed. With layers it is simulcast (RFC 8853): track and layers have rids, and whoever writes their packets adds the header
// extensions of Encodings. A track that is a KeyFramer is told when the server asks for a key frame.
func (r *Room) Publish(ctx context.Context, track webrtc.TrackLocal, source string, layers ...webrtc.TrackLocal) (*Publication, error) {
	p := &Publication{room: r, track: track, layers: layers, published: protocol.Publication{ID: newID(), Kind: protocol.Kind(track.Kind().String()), Source: source}}
	result := make(chan error, 1)
	r.post(func() { r.peer.publish(p, func(err error) { result <- err }) })
	select {
	case err := <-result:
		if err != nil {
			return nil, err
		}
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ended:
		return nil, r.err
	}
}

// Publication is a track of one's own.
type Publication struct {
	// Set at construction, never changed.
	room      *Room
	track     webrtc.TrackLocal
	layers    []webrtc.TrackLocal
	published protocol.Publication

	sender *webrtc.RTPSender // Owned by run.
}

// KeyFramer is a track that can make key frames. KeyFrameRequested is called from a goroutine of the Room.
type KeyFramer interface{ KeyFrameRequested() }

// Encodings are the m-line's mid and the ids of the header extensions for it and for rids (RFC 8843 §15, RFC 8852), by which
// a server tells layers apart.
func (p *Publication) Encodings() (mid string, midID, ridID uint8) {
	p.room.call(func() {
		for _, t := range p.room.peer.pc.GetTransceivers() {
			if t.Sender() == p.sender {
				mid = t.Mid()
			}
		}
		for _, e := range p.sender.GetParameters().HeaderExtensions {
			switch e.URI {
			case "urn:ietf:params:rtp-hdrext:sdes:mid":
				midID = uint8(e.ID)
			case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
				ridID = uint8(e.ID)
			}
		}
	})
	return mid, midID, ridID
}

// ID is its id in the room.
func (p *Publication) ID() string { return p.published.ID }

// Mute tells the room that nothing is to be heard or seen of it, and stops the server from forwarding it.
func (p *Publication) Mute(ctx context.Context, muted bool) error {
	return p.room.request(ctx, protocol.Mute{ID: p.ID(), Muted: muted})
}

// Close ends it.
func (p *Publication) Close(ctx context.Context) error {
	err := p.room.request(ctx, protocol.Unpublish{ID: p.ID()})
	p.room.call(func() { p.room.peer.unpublish(p) })
	return err
}

// Subscribe chooses whether somebody's publication is received.
func (r *Room) Subscribe(ctx context.Context, publication string, subscribed bool) error {
	return r.request(ctx, protocol.Subscribe{ID: publication, Subscribed: subscribed})
}

// Update changes what others see of oneself.
func (r *Room) Update(ctx context.Context, u protocol.Update) error {
	return r.request(ctx, u)
}

// Kick removes a participant; it needs the right to administrate.
func (r *Room) Kick(ctx context.Context, identity, reason string) error {
	return r.request(ctx, protocol.Kick{Identity: identity, Reason: reason})
}

// EndRoom removes everybody; it needs the right to administrate.
func (r *Room) EndRoom(ctx context.Context, reason string) error {
	return r.request(ctx, protocol.EndRoom{Reason: reason})
}

// Message is what Send sends.
type Message struct {
	Topic   string
	Payload []byte
	To      []string // identities; nil is everybody else
	Lossy   bool     // the newest or nothing, and at most about 16 KiB
}

// Send sends a message. It returns its number, which DataRefused names if the server does not take it. The error is ErrData,
// ErrFull, ErrSize, or why the room has ended.
func (r *Room) Send(m Message) (id uint64, err error) {
	f := frame.Send{Topic: m.Topic, Payload: m.Payload, Identities: m.To, Lossy: m.Lossy}
	if len(m.To) > 0 {
		f.To = frame.ToIdentities
	}
	if !r.call(func() { id, err = r.send(f) }) {
		return 0, r.Err()
	}
	return id, err
}

// Chat sends a chat message to everybody.
func (r *Room) Chat(text string) error {
	payload, err := json.Marshal(chat{text})
	if err != nil {
		return err
	}
	_, err = r.Send(Message{Topic: chatTopic, Payload: payload})
	return err
}

// SetPresence sets one's own presence, or takes it back with nil.
func (r *Room) SetPresence(data []byte) (err error) {
	if !r.call(func() {
		var f []byte
		if f, err = r.stream.setPresence(data); err == nil {
			err = r.sendReliable(f)
		}
	}) {
		return r.Err()
	}
	return err
}
