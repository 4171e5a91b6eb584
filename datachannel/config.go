package datachannel

// Config of the data plane. The zero value of a limit means its default.
type Config struct {
	MessageBytes  int `yaml:"message_bytes" default:"8388608" help:"Size of the largest message, after reassembly."`
	PresenceBytes int `yaml:"presence_bytes" default:"16384" help:"Size of one participant's presence."`
	QueueMessages int `yaml:"queue_messages" default:"1024" help:"Messages that wait for one slow reader."`
	QueueBytes    int `yaml:"queue_bytes" default:"16777216" help:"Bytes that wait for one slow reader."`
	Rate          int `yaml:"rate" default:"200" help:"Messages a second one participant may send."`
	Burst         int `yaml:"burst" default:"400" help:"Messages one participant may send at once."`
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error { return nil }
