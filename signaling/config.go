package signaling

import "time"

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
	Duplicate       string        `yaml:"duplicate" default:"replace" enum:"replace,reject" help:"What happens when an identity joins twice."`
	EmptyTimeout    time.Duration `yaml:"empty_timeout" default:"30s" help:"Time an empty room is kept."`
	AudioSlots      int           `yaml:"audio_slots" default:"3" help:"Audio slots of the first offer."`
	VideoSlots      int           `yaml:"video_slots" default:"6" help:"Video slots of the first offer."`
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error { return nil }

// Stats of a server.
type Stats struct {
	Rooms, Participants, Sessions, WebSockets int64 // now

	Joins, Resumes uint64
	Refused        map[string]uint64 // joins refused, by error code
	Errors         map[string]uint64 // error replies, by error code
	Closed         map[string]uint64 // WebSockets closed, by close code
	Messages       uint64            // received
}
