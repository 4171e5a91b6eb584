package whip

import (
	"fmt"
	"time"
)

// Config of the door. The zero value of a limit means its default.
type Config struct {
	MaxSessions    int           `yaml:"max_sessions" default:"1000" help:"WHIP and WHEP sessions at a time, together."`
	BodyBytes      int           `yaml:"body_bytes" default:"65536" help:"Size of the largest offer."`
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"20s" help:"Time from the answer until media must be connected."`
	Rate           int           `yaml:"rate" default:"20" help:"Requests a second from one address; twice as many at once."`
}

// WithDefaults sets what is zero.
func (c Config) WithDefaults() Config {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.MaxSessions, 1000}, {&c.BodyBytes, 64 << 10}, {&c.Rate, 20}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 20 * time.Second
	}
	return c
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	c = c.WithDefaults()
	for _, l := range []struct {
		name         string
		value, least int64
	}{
		{"max_sessions", int64(c.MaxSessions), 1}, {"body_bytes", int64(c.BodyBytes), 4096}, {"rate", int64(c.Rate), 1},
		{"connect_timeout", int64(c.ConnectTimeout), int64(time.Millisecond)},
	} {
		if l.value < l.least {
			return fmt.Errorf("whip.%s: %d is too small", l.name, l.value)
		}
	}
	return nil
}

// Stats of a door.
type Stats struct {
	Publishing, Playing int64             // sessions now
	Refused             map[string]uint64 // requests, by error code
}
