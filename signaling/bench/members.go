package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/client"
)

// The load on data channels: one member speaks to all others.
const (
	messageBytes = 100
	messageRate  = 100 // a second
)

// joinPatience is how long a member has to connect.
const joinPatience = 20 * time.Second

// member is one participant with data channels.
type member struct {
	room     *client.Room
	opened   chan struct{} // closed when it can send; nil from then on. Owned by event
	received atomic.Int64
}

func (m *member) event(e client.Event) {
	switch e.(type) {
	case client.DataOpened:
		if m.opened != nil {
			close(m.opened)
			m.opened = nil
		}
	case client.MessageReceived:
		m.received.Add(1)
	default: // nobody publishes
	}
}

func joinRoom(s *server, number int) (*member, error) {
	identity := fmt.Sprint("member", number)
	token, err := auth.Mint(keyName, keySecret, auth.Token{Identity: identity, Room: "talk", Grants: auth.DefaultGrants(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), joinPatience)
	defer cancel()
	opened := make(chan struct{})
	m := &member{opened: opened}
	if m.room, err = client.Join(ctx, "http://"+s.base, token, client.Options{OnEvent: m.event}); err != nil {
		return nil, err
	}
	select {
	case <-opened:
		return m, nil
	case <-ctx.Done():
		m.room.Close()
		return nil, errors.New("a data channel does not open")
	}
}

// talkAll joins members, has the first one speak, and waits until all others have heard everything.
func talkAll(s *server, l load) (r result, err error) {
	var all []*member
	defer func() {
		for _, m := range all {
			m.room.Close()
		}
		http.DefaultClient.CloseIdleConnections()
	}()
	for i := range l.clients {
		m, err := joinRoom(s, i)
		if err != nil {
			return result{}, err
		}
		all = append(all, m)
	}
	time.Sleep(time.Second) // the joins do not count
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	sent, lag, err := speak(all[0], l.time)
	if err != nil {
		return result{}, err
	}
	for end := time.Now().Add(patience); !heard(all[1:], sent); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return result{}, errors.New("messages have not arrived")
		}
	}
	after, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	r = result{delivered: sent * (len(all) - 1), cpu: after - before, lag: lag}
	r.rss, err = s.rss()
	return r, err
}

func speak(m *member, during time.Duration) (sent int, lag time.Duration, err error) {
	begin := time.Now()
	for due := begin; due.Before(begin.Add(during)); due = due.Add(time.Second / messageRate) {
		time.Sleep(time.Until(due))
		lag = max(lag, time.Since(due))
		if _, err := m.room.Send(client.Message{Topic: "bench", Payload: make([]byte, messageBytes)}); err != nil {
			return sent, lag, err
		}
		sent++
	}
	return sent, lag, nil
}

func heard(all []*member, sent int) bool {
	for _, m := range all {
		if m.received.Load() < int64(sent) {
			return false
		}
	}
	return true
}
