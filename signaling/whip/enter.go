package whip

import (
	"net/http"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/whip/follow"
	"github.com/turnout-rtc/turnout/signaling/whip/sdp"
)

// sourceOf says whether it is about the screen instead of the camera.
func sourceOf(r *http.Request) (screen bool, refused *refusal) {
	switch source := r.URL.Query().Get("source"); source {
	case "", protocol.Camera:
		return false, nil
	case protocol.Screen:
		return true, nil
	default:
		return false, refuse(http.StatusBadRequest, protocol.Malformed, "source is neither camera nor screen", "leave it out for camera and microphone")
	}
}

// publish makes the call of POST /whip/{room}.
func (d *Door) publish(r *http.Request, t auth.Token, offer string) (*opening, *refusal) {
	screen, refused := sourceOf(r)
	if refused != nil {
		return nil, refused
	}
	o, err := sdp.Read(offer)
	if err != nil {
		return nil, badOffer(err)
	}
	tracks, err := o.Published()
	if err != nil {
		return nil, badOffer(err)
	}
	var publications []protocol.Announcement
	for _, m := range tracks {
		source := publishedAs(m.Kind, screen)
		if !t.Grants.MayPublish(source) {
			return nil, refuse(http.StatusForbidden, protocol.AuthForbidden, "the access token does not allow to publish "+source, "use a token with canPublish, and canPublishSources with this source, that is not hidden")
		}
		publications = append(publications, protocol.Announcement{MID: m.MID, ID: "TR_" + newID()[:16], Source: source})
	}
	s, joined, err := d.rooms.Join(Entry{Token: t, Client: protocol.Client{Name: "whip", Version: r.UserAgent()}})
	if err != nil {
		return nil, ofRoom(err)
	}
	c := newCall(s, tracks, false)
	c.publications = publications
	return &opening{call: c, begin: c.begin(offer, o.Ufrag, nil), iceServers: joined.ICEServers}, nil
}

func publishedAs(kind string, screen bool) string {
	switch {
	case kind == string(protocol.Video) && screen:
		return protocol.Screen
	case kind == string(protocol.Video):
		return protocol.Camera
	case screen:
		return protocol.ScreenAudio
	default:
		return protocol.Microphone
	}
}

// play makes the call of POST /whep/{room}/{identity}.
func (d *Door) play(r *http.Request, t auth.Token, offer string) (*opening, *refusal) {
	screen, refused := sourceOf(r)
	if refused != nil {
		return nil, refused
	}
	if !t.Grants.Subscribe {
		return nil, refuse(http.StatusForbidden, protocol.AuthForbidden, "the access token does not allow to receive media", "use a token with canSubscribe")
	}
	offer = sdp.ReceiveOnly(offer)
	o, err := sdp.Read(offer)
	if err != nil {
		return nil, badOffer(err)
	}
	tracks, err := o.Played()
	if err != nil {
		return nil, badOffer(err)
	}
	wish := follow.Wish{Identity: r.PathValue("identity"), Screen: screen}
	for _, m := range tracks {
		wish.Audio = wish.Audio || m.Kind == string(protocol.Audio)
		wish.Video = wish.Video || m.Kind == string(protocol.Video)
	}
	absent := again(http.StatusConflict, protocol.ParticipantNotFound, "nobody of this identity is in the room", "try again when it is there")
	if !d.rooms.Exists(t.Room) { // so that one who asks again and again does not make it again and again
		return nil, absent
	}
	t.Grants.Hidden = true
	s, joined, err := d.rooms.Join(Entry{Token: t, Client: protocol.Client{Name: "whep", Version: r.UserAgent()}})
	if err != nil {
		return nil, ofRoom(err)
	}
	c := newCall(s, tracks, true)
	var choices []protocol.Subscribe
	if c.view, choices = follow.New(wish, joined); !c.view.There() {
		c.leave(nil)
		return nil, absent
	}
	return &opening{call: c, begin: c.begin(offer, o.Ufrag, choices), iceServers: joined.ICEServers}, nil
}
