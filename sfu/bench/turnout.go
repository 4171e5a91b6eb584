//go:build linux

package main

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/sfu"
)

// turnout is our engine with one room.
type turnout struct {
	engine *sfu.Engine
	router *sfu.Router

	mu sync.Mutex
	// Guarded by mu.
	members   map[string]*member
	published map[string][]*sfu.Publication // by participant
	watchers  map[string][]*member
}

type member struct {
	transport *sfu.Transport
	answered  chan string
}

func newTurnout() (*turnout, error) {
	engine, err := sfu.New(sfu.Config{UDP: "127.0.0.1:0", MaxSlots: 1000}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return &turnout{
		engine: engine, router: engine.NewRouter("bench"),
		members: map[string]*member{}, published: map[string][]*sfu.Publication{}, watchers: map[string][]*member{},
	}, nil
}

func (s *turnout) join(j join) (string, error) {
	m := &member{answered: make(chan string, 1)}
	id := j.ID // not j, which holds the offer
	t, err := s.router.NewTransport(id, func(e sfu.Event) { s.event(id, m, e) })
	if err != nil {
		return "", err
	}
	m.transport = t
	s.mu.Lock()
	s.members[j.ID] = m
	for _, id := range j.Watch {
		s.watchers[id] = append(s.watchers[id], m)
		for _, p := range s.published[id] {
			t.Subscribe(p)
		}
	}
	s.mu.Unlock()
	o := sfu.Offer{Rev: 1, SDP: j.SDP}
	for _, kind := range []struct {
		has  bool
		name string
	}{{j.Audio, "audio"}, {j.Video, "video"}} {
		if kind.has {
			o.Publications = append(o.Publications, sfu.Announcement{MID: fmt.Sprint(len(o.Publications)), ID: j.ID + "-" + kind.name})
		}
	}
	t.Negotiate(o)
	select {
	case sdp := <-m.answered:
		t.Ready(1)
		return sdp, nil
	case <-time.After(patience):
		return "", fmt.Errorf("%s was not answered", j.ID)
	}
}

func (s *turnout) event(id string, m *member, e sfu.Event) {
	switch e := e.(type) {
	case sfu.Answered:
		s.mu.Lock()
		s.published[id] = append(s.published[id], e.Published...)
		for _, w := range s.watchers[id] {
			for _, p := range e.Published {
				w.transport.Subscribe(p)
			}
		}
		s.mu.Unlock()
		m.answered <- e.SDP
	case sfu.Refused:
		slog.Error("refused", "participant", id, "error", e.Err)
	}
}

func (s *turnout) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[id]
	if m == nil {
		return
	}
	m.transport.Close()
	delete(s.members, id)
	delete(s.published, id)
	for who, list := range s.watchers {
		kept := list[:0]
		for _, w := range list {
			if w != m {
				kept = append(kept, w)
			}
		}
		s.watchers[who] = kept
	}
}
