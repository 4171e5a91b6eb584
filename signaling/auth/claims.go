package auth

import (
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// maxTopics bounds what is checked for every message on a topic.
const maxTopics = 1024

// claims is a Token on the wire, in LiveKit's layout.
type claims struct {
	jwt.RegisteredClaims
	Name       string            `json:"name,omitempty"`
	Metadata   string            `json:"metadata,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Video      video             `json:"video"`
	Topics     map[string]string `json:"topics,omitempty"`
}

// video holds the grants. What is true when left out is a pointer.
type video struct {
	Room                 string   `json:"room"`
	RoomJoin             bool     `json:"roomJoin"`
	RoomAdmin            bool     `json:"roomAdmin,omitempty"`
	CanPublish           *bool    `json:"canPublish,omitempty"`
	CanSubscribe         *bool    `json:"canSubscribe,omitempty"`
	CanPublishData       *bool    `json:"canPublishData,omitempty"`
	CanPublishSources    []string `json:"canPublishSources,omitempty"`
	CanUpdateOwnMetadata *bool    `json:"canUpdateOwnMetadata,omitempty"`
	Hidden               bool     `json:"hidden,omitempty"`
}

func (t Token) claims(key string) claims {
	g := t.Grants
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: key, Subject: t.Identity, ExpiresAt: jwt.NewNumericDate(t.Expires)},
		Name:             t.Name, Metadata: t.Metadata, Attributes: t.Attributes, Topics: g.Topics,
		Video: video{
			Room: t.Room, RoomJoin: true, RoomAdmin: g.Admin, Hidden: g.Hidden,
			CanPublish: falseOnly(g.Publish), CanSubscribe: falseOnly(g.Subscribe), CanPublishData: falseOnly(g.Data),
			CanPublishSources: g.Sources, CanUpdateOwnMetadata: falseOnly(g.Update),
		},
	}
	if !t.NotBefore.IsZero() {
		c.NotBefore = jwt.NewNumericDate(t.NotBefore)
	}
	return c
}

func (c claims) token() Token {
	t := Token{Identity: c.Subject, Name: c.Name, Metadata: c.Metadata, Attributes: c.Attributes, Room: c.Video.Room, Expires: numeric(c.ExpiresAt), NotBefore: numeric(c.NotBefore)}
	v := c.Video
	t.Grants = Grants{
		Permissions: protocol.Permissions{
			Publish: orTrue(v.CanPublish) && !v.Hidden, Sources: sources(v.CanPublishSources), Subscribe: orTrue(v.CanSubscribe),
			Data: orTrue(v.CanPublishData), Admin: v.RoomAdmin, Hidden: v.Hidden,
		},
		Update: orTrue(v.CanUpdateOwnMetadata),
		Topics: c.Topics,
	}
	return t
}

// sources translates LiveKit's names.
func sources(in []string) []string {
	var out []string
	for _, s := range in {
		switch s {
		case "screen_share":
			s = protocol.Screen
		case "screen_share_audio":
			s = protocol.ScreenAudio
		}
		out = append(out, s)
	}
	return out
}

// check says what is wrong with t, apart from its time.
func (t Token) check() error {
	switch {
	case t.Identity == "" || len(t.Identity) > protocol.MaxIdentity:
		return fmt.Errorf("sub (the identity) must have 1–%d bytes", protocol.MaxIdentity)
	case t.Room == "" || len(t.Room) > protocol.MaxRoom:
		return fmt.Errorf("video.room must have 1–%d bytes", protocol.MaxRoom)
	case len(t.Name) > protocol.MaxName:
		return fmt.Errorf("name must have at most %d bytes", protocol.MaxName)
	case len(t.Metadata) > protocol.MaxMetadata:
		return fmt.Errorf("metadata must have at most %d bytes", protocol.MaxMetadata)
	case !protocol.Attributes(t.Attributes).Fit():
		return fmt.Errorf("attributes must be at most %d, together at most %d bytes", protocol.MaxAttributes, protocol.MaxAttributeSum)
	case t.Expires.IsZero():
		return fmt.Errorf("exp (the expiry) is required")
	case len(t.Grants.Topics) > maxTopics:
		return fmt.Errorf("topics must be at most %d", maxTopics)
	}
	for _, s := range t.Grants.Sources {
		if !protocol.ValidToken32(s) {
			return fmt.Errorf("video.canPublishSources must hold 1–32 of [A-Za-z0-9_-] each")
		}
	}
	for topic, rights := range t.Grants.Topics {
		if topic == "" || strings.Trim(rights, "rw") != "" || len(rights) > 2 || rights == "rr" || rights == "ww" {
			return fmt.Errorf(`topics must map names to "r", "w", "rw" or ""`)
		}
	}
	return nil
}

// numeric keeps only times that a calendar can show; anything else counts as left out (exp) and is refused for that.
func numeric(d *jwt.NumericDate) time.Time {
	const year9999 = 253402300799
	if d == nil || d.Unix() <= 0 || d.Unix() > year9999 {
		return time.Time{}
	}
	return d.Time
}

func orTrue(b *bool) bool { return b == nil || *b }

func falseOnly(b bool) *bool {
	if b {
		return nil
	}
	return &b
}
