package visit

import (
	"fmt"
	"time"
)

// Config bounds connections. The zero value of a limit means its default.
type Config struct {
	Max         int `yaml:"max" default:"5000" help:"Connections of y-websocket clients to the whole server, and as many of Hocuspocus clients."`
	MaxRoom     int `yaml:"max_room" default:"500" help:"Connections of both to one room."`
	MaxIdentity int `yaml:"max_identity" default:"100" help:"Connections of both to one room, of one identity."`

	CatchUp time.Duration `yaml:"catch_up" default:"1m" help:"Time a connection that was too slow has to take what was on its way; then it is sent what it lacks, or else closed."`
}

// WithDefaults fills in what is zero.
func (c Config) WithDefaults() Config {
	for limit, value := range map[*int]int{&c.Max: 5000, &c.MaxRoom: 500, &c.MaxIdentity: 100} {
		if *limit == 0 {
			*limit = value
		}
	}
	if c.CatchUp == 0 {
		c.CatchUp = time.Minute
	}
	return c
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	for name, limit := range map[string]int{"max": c.Max, "max_room": c.MaxRoom, "max_identity": c.MaxIdentity, "catch_up": int(c.CatchUp)} {
		if limit < 0 {
			return fmt.Errorf("signaling.visits.%s is negative: give a positive value, or leave it out for the default", name)
		}
	}
	return nil
}
