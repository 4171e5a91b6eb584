package client

import (
	"context"
	"io"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// trackQueue is how many packets wait for who reads a Track: half a second of video. The oldest are dropped.
const trackQueue = 512

// Track is a publication of somebody else's that is being received.
type Track struct {
	// Set at construction, never changed.
	Participant protocol.Participant
	Publication protocol.Publication

	remote   *webrtc.TrackRemote
	packets  chan *rtp.Packet
	over     chan struct{}
	end      sync.Once
	keyFrame func() error
}

// ReadRTP returns the next packet. The error is io.EOF when the track has ended, or the context's.
func (t *Track) ReadRTP(ctx context.Context) (*rtp.Packet, error) {
	select {
	case p := <-t.packets:
		return p, nil
	default:
	}
	select {
	case p := <-t.packets:
		return p, nil
	case <-t.over:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Codec is that of the last packet that arrived.
func (t *Track) Codec() webrtc.RTPCodecParameters { return t.remote.Codec() }

// RequestKeyFrame asks for a key frame.
func (t *Track) RequestKeyFrame() error { return t.keyFrame() }

func (t *Track) close() { t.end.Do(func() { close(t.over) }) }

// push gives a packet to the reader. It is called from one goroutine.
func (t *Track) push(p *rtp.Packet) {
	for {
		select {
		case t.packets <- p:
			return
		default:
		}
		select {
		case <-t.packets:
		default:
		}
	}
}

// tracks leads what arrives on slots to the Tracks of publications. Owned by run; the packets themselves do not pass run.
type tracks struct {
	room  *Room
	slot  map[string]string // by mid
	lane  map[string]*lane  // by slot
	shown map[string]string // publication by slot, the server's whole map
	seen  uint64            // its version
}

// lane is one slot's packets. The reader of the slot asks it for the Track that is shown.
type lane struct {
	remote   *webrtc.TrackRemote
	keyFrame func() error

	mu      sync.Mutex
	current *Track // Guarded by mu.
}

func (l *lane) track() *Track {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// set shows another track, or none, and ends the one before.
func (l *lane) set(t *Track) {
	l.mu.Lock()
	old := l.current
	l.current = t
	l.mu.Unlock()
	if old != nil {
		old.close()
	}
}

func newTracks(r *Room) *tracks {
	return &tracks{room: r, slot: map[string]string{}, lane: map[string]*lane{}, shown: map[string]string{}}
}

// slots takes the names of the slots from an answer.
func (t *tracks) slots(all []protocol.Slot) {
	for _, s := range all {
		t.slot[s.MID] = s.Slot
	}
	t.refresh()
}

// receive begins to read a slot.
func (t *tracks) receive(mid string, remote *webrtc.TrackRemote, keyFrame func() error) {
	slot, known := t.slot[mid]
	if !known {
		return // the server sends on what it did not call a slot
	}
	l := &lane{remote: remote, keyFrame: keyFrame}
	t.lane[slot] = l
	t.room.running.Go(func() {
		for {
			p, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			if track := l.track(); track != nil {
				track.push(p)
			}
		}
	})
	t.refresh()
}

// show takes the server's map.
func (t *tracks) show(m protocol.SlotMap) {
	if m.Version <= t.seen {
		return
	}
	t.seen = m.Version
	clear(t.shown)
	for _, s := range m.Slots {
		t.shown[s.Slot] = s.Publication
	}
	t.refresh()
}

// refresh makes the Tracks be what the map, the roster and the lanes say.
func (t *tracks) refresh() {
	for slot, l := range t.lane {
		id := t.shown[slot]
		owner, pub, known := t.room.roster.find(id)
		if !known { // a publication that begins anew under its id was gone for a moment, too
			l.set(nil)
			continue
		}
		if current := l.track(); current != nil && current.Publication.ID == id {
			continue
		}
		track := &Track{
			Participant: owner, Publication: pub, remote: l.remote,
			packets: make(chan *rtp.Packet, trackQueue), over: make(chan struct{}), keyFrame: l.keyFrame,
		}
		l.set(track)
		t.room.emit(TrackStarted{track})
	}
}

// close ends all Tracks.
func (t *tracks) close() {
	for _, l := range t.lane {
		l.set(nil)
	}
}
