package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/client"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// topic of the messages.
const topic = "load"

// participant is one of the load.
type participant struct {
	// Set at construction, never changed.
	plan     Plan
	identity string
	token    string
	publish  bool
	others   int // who receive what it sends
	watches  int // tracks it is to receive
	tally    *tally
	late     *lateness

	began   time.Time
	room    *client.Room
	opened  chan struct{} // closed when messages can be sent
	open    sync.Once
	first   sync.Once
	arrived chan struct{} // closed at the first packet
	running sync.WaitGroup
}

// join enters the room and returns when it is there, connected, and has its first packet if there is one to come.
func (p *participant) join(ctx context.Context, publishing context.Context) error {
	p.began, p.opened, p.arrived = time.Now(), make(chan struct{}), make(chan struct{})
	limited, cancel := context.WithTimeout(ctx, p.plan.Timeout)
	defer cancel()
	room, err := client.Join(limited, p.plan.Server, p.token, client.Options{OnEvent: func(e client.Event) { p.event(publishing, e) }, RelayOnly: p.plan.RelayOnly, Program: protocol.Client{Name: "turnout-load"}})
	if err != nil {
		return err
	}
	p.room = room
	if p.publish {
		if err := p.start(limited, publishing); err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	if err := p.wait(limited, p.opened); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	p.tally.join(time.Since(p.began))
	return nil
}

// settle waits for the first packet.
func (p *participant) settle(ctx context.Context) error {
	if p.watches == 0 {
		return nil
	}
	limited, cancel := context.WithDeadline(ctx, p.began.Add(p.plan.Timeout))
	defer cancel()
	if err := p.wait(limited, p.arrived); err != nil {
		return fmt.Errorf("first packet: %w", err)
	}
	return nil
}

func (p *participant) wait(ctx context.Context, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.room.Done():
		return p.room.Err()
	}
}

// leave ends it and waits for what it has started.
func (p *participant) leave(ctx context.Context) {
	if p.room != nil {
		_ = p.room.Leave(ctx) // it may have been ended by the server
	}
	p.running.Wait()
}

func (p *participant) event(ctx context.Context, e client.Event) {
	switch e := e.(type) {
	case client.DataOpened:
		p.open.Do(func() { close(p.opened) })
	case client.TrackStarted:
		p.running.Go(func() { p.receive(ctx, e.Track) })
	case client.MessageReceived:
		if e.Topic == topic {
			p.tally.message(e.Payload, time.Now())
		}
	case client.DataRefused:
		p.tally.fail("message: " + string(e.Err.Code))
	case client.DataLost:
		p.tally.fail("messages were dropped for a slow reader")
	default: // who comes and goes is not measured
	}
}

// giveEvery is how often a receiver gives what it has counted to the tally.
const giveEvery = 250 * time.Millisecond

func (p *participant) receive(ctx context.Context, t *client.Track) {
	var g gather
	given := time.Now()
	defer func() { g.give(p.tally) }()
	for {
		packet, err := t.ReadRTP(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		p.first.Do(func() {
			p.tally.first(now.Sub(p.began))
			close(p.arrived)
		})
		g.packet(packet.SequenceNumber, packet.MarshalSize(), packet.Payload, now)
		if now.Sub(given) >= giveEvery {
			g.give(p.tally)
			given = now
		}
	}
}

// start publishes what the plan says; ctx is for that, publishing for as long as packets are sent.
func (p *participant) start(ctx, publishing context.Context) error {
	if p.plan.Audio {
		t, err := newTrack(webrtc.MimeTypeOpus, "audio", "")
		if err != nil {
			return err
		}
		if _, err := p.room.Publish(ctx, t, "microphone"); err != nil {
			return err
		}
		p.running.Go(func() { speak(publishing, t, p.late) })
	}
	if !p.plan.Video {
		return nil
	}
	rids := layers
	if !p.plan.Simulcast {
		rids = layers[len(layers)-1:]
	}
	return p.film(ctx, publishing, rids)
}

func (p *participant) film(ctx, publishing context.Context, rids []struct {
	rid   string
	share float64
}) error {
	var tracks []*track
	var more []webrtc.TrackLocal
	for i, l := range rids {
		rid := l.rid
		if len(rids) == 1 {
			rid = ""
		}
		t, err := newTrack(webrtc.MimeTypeVP8, "video", rid)
		if err != nil {
			return err
		}
		tracks = append(tracks, t)
		if i > 0 {
			more = append(more, t)
		}
	}
	pub, err := p.room.Publish(ctx, tracks[0], "camera", more...)
	if err != nil {
		return err
	}
	var extend []func(*rtp.Header)
	if len(rids) > 1 {
		mid, midID, ridID := pub.Encodings()
		if mid == "" || midID == 0 || ridID == 0 {
			return errors.New("the server did not agree on simulcast")
		}
		for _, l := range rids {
			extend = append(extend, extension(mid, l.rid, midID, ridID))
		}
	}
	for i, t := range tracks {
		c := &camera{track: t, plan: p.plan, bitrate: float64(p.plan.Bitrate) * rids[i].share}
		if extend != nil {
			c.extend = extend[i]
		}
		p.running.Go(func() { c.run(publishing, p.late) })
	}
	return nil
}

// talk sends messages until ctx is done.
func (p *participant) talk(ctx context.Context) {
	payload := make([]byte, p.plan.MessageBytes)
	every(ctx, time.Duration(float64(time.Second)/p.plan.Messages), p.late, func(now time.Time) {
		stamp(payload, now)
		if _, err := p.room.Send(client.Message{Topic: topic, Payload: append([]byte(nil), payload...)}); err != nil {
			p.tally.fail("message: " + err.Error())
			return
		}
		p.tally.sent.Add(1)
		p.tally.expected.Add(uint64(p.others))
	})
}
