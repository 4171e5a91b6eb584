package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/client"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestWhoUnsubscribesReceivesNothingUntilItSubscribesAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada, bob := s.join("ada"), s.join("bob")
	pub := ada.speak(webrtc.MimeTypeVP8, protocol.Camera)
	track := await[client.TrackStarted](bob, nil).Track
	hear(t, track, 3)
	if err := bob.Subscribe(t.Context(), pub.ID(), false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, err := track.ReadRTP(ctx); err != nil {
			break
		}
	}
	if ctx.Err() != nil {
		t.Fatal("packets go on")
	}
	if err := bob.Subscribe(t.Context(), pub.ID(), true); err != nil {
		t.Fatal(err)
	}
	again := await[client.TrackStarted](bob, nil).Track
	if again.Publication.ID != pub.ID() {
		t.Errorf("%s is shown instead of %s", again.Publication.ID, pub.ID())
	}
	hear(t, again, 3)
	var refused *protocol.Error
	if err := bob.Subscribe(t.Context(), "TR_nothing", true); !errors.As(err, &refused) || refused.Code == "" {
		t.Errorf("subscribing to nothing: %v", err)
	}
}

func TestWhoEndsTheRoomEndsItForAll(t *testing.T) {
	s := newServer(t)
	bob := s.join("bob")
	if bob.Permissions().Admin || !bob.Permissions().Publish {
		t.Errorf("bob may %+v", bob.Permissions())
	}
	var refused *protocol.Error
	if err := bob.EndRoom(t.Context(), ""); !errors.As(err, &refused) || refused.Code != protocol.AuthForbidden {
		t.Errorf("ending the room without the right: %v", err)
	}
	admin, err := client.Join(t.Context(), s.url, token(t, "admin", func(c *auth.Token) { c.Grants.Admin = true }), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if !admin.Permissions().Admin {
		t.Errorf("the administrator may %+v", admin.Permissions())
	}
	_ = admin.EndRoom(t.Context(), "it is late") // its own end may be quicker than the answer
	for name, room := range map[string]*client.Room{"bob": bob.Room, "admin": admin} {
		select {
		case <-room.Done():
		case <-time.After(patience):
			t.Fatalf("%s is still there", name)
		}
		var why *client.DisconnectError
		if !errors.As(room.Err(), &why) || why.Reason != protocol.RoomEnded {
			t.Errorf("%s: the room ended with %v", name, room.Err())
		}
	}
}
