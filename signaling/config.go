package signaling

import (
	"fmt"
	"net/url"
	"time"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/signaling/room"
	"github.com/turnout-rtc/turnout/signaling/session"
	"github.com/turnout-rtc/turnout/signaling/visit"
	"github.com/turnout-rtc/turnout/signaling/whip"
	"github.com/turnout-rtc/turnout/signaling/ws"
)

// Config of the control plane. The zero value of a limit means its default.
type Config struct {
	Keys    map[string]string `yaml:"keys" help:"Signing keys of access tokens: name to secret."`
	Origins []string          `yaml:"origins" help:"Web origins that may connect, besides the server's own; * allows all."`

	Heartbeat     time.Duration `yaml:"heartbeat" default:"5s" help:"Time between pings."`
	Timeout       time.Duration `yaml:"timeout" default:"12s" help:"Silence after which a connection counts as dead."`
	JoinTimeout   time.Duration `yaml:"join_timeout" default:"5s" help:"Time until the first message."`
	Grace         time.Duration `yaml:"grace" default:"30s" help:"Time a dropped session waits to be resumed."`
	MessageBytes  int           `yaml:"message_bytes" default:"262144" help:"Size of the largest message."`
	Rate          int           `yaml:"rate" default:"50" help:"Messages a second one participant may send."`
	Burst         int           `yaml:"burst" default:"200" help:"Messages one participant may send at once."`
	QueueMessages int           `yaml:"queue_messages" default:"1024" help:"Unacknowledged messages kept for one participant."`
	QueueBytes    int           `yaml:"queue_bytes" default:"4194304" help:"Unacknowledged bytes kept for one participant."`
	MaxSessions   int           `yaml:"max_sessions" default:"10000" help:"Participants of the whole server."`

	MaxParticipants int           `yaml:"max_participants" default:"500" help:"Participants of one room."`
	MaxPublications int           `yaml:"max_publications" default:"16" help:"Tracks one participant may publish."`
	Duplicate       string        `yaml:"duplicate" default:"replace" enum:"replace,reject" help:"What happens when an identity joins twice."`
	EmptyTimeout    time.Duration `yaml:"empty_timeout" default:"30s" help:"Time an empty room is kept."`
	AudioSlots      int           `yaml:"audio_slots" default:"3" help:"Audio slots of the first offer."`
	VideoSlots      int           `yaml:"video_slots" default:"6" help:"Video slots of the first offer."`

	Visits visit.Config `yaml:"visits" embed:"" prefix:"visits-"`
	WHIP   whip.Config  `yaml:"whip" embed:"" prefix:"whip-"`
}

// withDefaults sets what is zero.
func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.Heartbeat, 5 * time.Second}, {&c.Timeout, 12 * time.Second}, {&c.JoinTimeout, 5 * time.Second},
		{&c.Grace, 30 * time.Second}, {&c.EmptyTimeout, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&c.MessageBytes, 256 << 10}, {&c.Rate, 50}, {&c.Burst, 200}, {&c.QueueMessages, 1024}, {&c.QueueBytes, 4 << 20},
		{&c.MaxSessions, 10000}, {&c.MaxParticipants, 500}, {&c.MaxPublications, 16}, {&c.AudioSlots, 3}, {&c.VideoSlots, 6},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	c.Visits, c.WHIP = c.Visits.WithDefaults(), c.WHIP.WithDefaults()
	if c.Duplicate == "" {
		c.Duplicate = string(room.Replace)
	}
	return c
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	if len(c.Keys) == 0 {
		return fmt.Errorf("signaling.keys: there is no key, so nobody could join; add one as name: secret, with %d characters or more", auth.MinSecret)
	}
	if _, err := auth.NewKeys(c.Keys); err != nil {
		return fmt.Errorf("signaling.keys: %w", err)
	}
	for _, o := range c.Origins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" && u.Path != "/") {
			return fmt.Errorf("signaling.origins: %q is not an origin; write it as https://example.com, or * for all", o)
		}
	}
	c = c.withDefaults()
	for _, l := range []struct {
		name  string
		value int64
		least int64
	}{
		{"heartbeat", int64(c.Heartbeat), int64(time.Millisecond)}, {"join_timeout", int64(c.JoinTimeout), int64(time.Millisecond)},
		{"grace", int64(c.Grace), int64(time.Millisecond)}, {"empty_timeout", int64(c.EmptyTimeout), int64(time.Millisecond)},
		{"message_bytes", int64(c.MessageBytes), 4096}, {"rate", int64(c.Rate), 1}, {"burst", int64(c.Burst), 1},
		{"queue_messages", int64(c.QueueMessages), 1}, {"queue_bytes", int64(c.QueueBytes), 1}, {"max_sessions", int64(c.MaxSessions), 1},
		{"max_participants", int64(c.MaxParticipants), 1}, {"max_publications", int64(c.MaxPublications), 1},
		{"audio_slots", int64(c.AudioSlots), 0}, {"video_slots", int64(c.VideoSlots), 0},
	} {
		if l.value < l.least {
			return fmt.Errorf("signaling.%s: %d is too small", l.name, l.value)
		}
	}
	if err := c.Visits.Validate(); err != nil {
		return err
	}
	if err := c.WHIP.Validate(); err != nil {
		return fmt.Errorf("signaling.%w", err)
	}
	if c.Timeout <= c.Heartbeat {
		return fmt.Errorf("signaling.timeout: %v must be longer than signaling.heartbeat, %v", c.Timeout, c.Heartbeat)
	}
	if c.Duplicate != string(room.Replace) && c.Duplicate != string(room.Reject) {
		return fmt.Errorf("signaling.duplicate: %q is neither %s nor %s", c.Duplicate, room.Replace, room.Reject)
	}
	return nil
}

func (c Config) room() room.Config {
	return room.Config{MaxParticipants: c.MaxParticipants, MaxPublications: c.MaxPublications, Duplicate: room.Policy(c.Duplicate)}
}

func (c Config) session() session.Config {
	return session.Config{Rate: c.Rate, Burst: c.Burst, QueueMessages: c.QueueMessages, QueueBytes: c.QueueBytes}
}

// door allows more WebSockets than sessions: some have not joined yet, some are about to resume.
func (c Config) door() ws.Config {
	return ws.Config{Protocol: protocol.SubProtocol, Origins: c.Origins, Heartbeat: c.Heartbeat, Timeout: c.Timeout, MessageBytes: c.MessageBytes, MaxConns: 2 * c.MaxSessions}
}

// Stats of a server.
type Stats struct {
	Rooms, Participants, Sessions, WebSockets, Visits int64 // now

	Joins, Resumes uint64
	Visited        uint64            // connections of y-websocket and Hocuspocus clients that were let in
	Refused        map[string]uint64 // joins refused, by error code
	Errors         map[string]uint64 // error replies, by error code
	Closed         map[string]uint64 // WebSockets closed, by close code; "peer" and "lost" if not by us
	Messages       uint64            // received

	WHIP whip.Stats
	Data datachannel.Stats // of all rooms together
}
