package datachannel

import (
	"fmt"
	"time"

	"github.com/turnout-rtc/turnout/datachannel/inbox"
	"github.com/turnout-rtc/turnout/datachannel/outbox"
	"github.com/turnout-rtc/turnout/datachannel/presence"
	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// Config of the data plane. The zero value of a limit means its default.
type Config struct {
	MessageBytes int `yaml:"message_bytes" default:"8388608" help:"Size of the largest message, after reassembly."`
	Rate         int `yaml:"rate" default:"200" help:"Messages a second one participant may send."`
	Burst        int `yaml:"burst" default:"400" help:"Messages one participant may send at once."`
	RateBytes    int `yaml:"rate_bytes" default:"4194304" help:"Bytes a second one participant may send."`
	BurstBytes   int `yaml:"burst_bytes" default:"16777216" help:"Bytes one participant may send at once; at least message_bytes and 64 KiB."`

	QueueMessages int           `yaml:"queue_messages" default:"8192" help:"Frames that wait for one slow reader or for its acknowledgement."`
	QueueBytes    int           `yaml:"queue_bytes" default:"16777216" help:"Bytes of them; at least message_bytes and 64 KiB."`
	LossyMessages int           `yaml:"lossy_messages" default:"256" help:"Lossy frames that wait for one slow reader; the oldest are dropped."`
	LossyBytes    int           `yaml:"lossy_bytes" default:"1048576" help:"Bytes of them."`
	Gather        time.Duration `yaml:"gather" default:"10ms" help:"Time a frame waits for company while its reader's wire is busy."`

	PresenceBytes    int           `yaml:"presence_bytes" default:"16384" help:"Size of one participant's presence."`
	PresenceTTL      time.Duration `yaml:"presence_ttl" default:"4500ms" help:"Silence after which a participant's presence is gone for the others."`
	PresenceInterval time.Duration `yaml:"presence_interval" default:"40ms" help:"Changes of presence are told at most so often."`

	Documents        int           `yaml:"documents" default:"100" help:"Documents one participant may have open."`
	RoomDocuments    int           `yaml:"room_documents" default:"1000" help:"Documents of one room that are in memory."`
	DocumentBytes    int           `yaml:"document_bytes" default:"12582912" help:"Size of the largest document in memory; queue_bytes is at least 64 KiB more."`
	DocumentClients  int           `yaml:"document_clients" default:"65536" help:"Yjs client ids in one document: each page that edits it takes one."`
	AwarenessClients int           `yaml:"awareness_clients" default:"32" help:"Yjs client ids that one participant may have in a document's awareness at a time."`
	DocumentIdle     time.Duration `yaml:"document_idle" default:"30s" help:"Time a document that nobody has open stays in memory."`
	Store            string        `yaml:"store" default:"bolt" enum:"bolt,memory,none" help:"Where documents are kept: bolt, a file in the data directory; memory, until the server stops; or none."`
	Relay            string        `yaml:"relay" default:"at-once" enum:"at-once,after-commit" help:"When others get an update: at once, or when it is on disk."`
}

// The values of Config.Relay.
const (
	RelayAtOnce      = "at-once"
	RelayAfterCommit = "after-commit"
)

// The values of Config.Store, which whoever makes the hubs looks at.
const (
	StoreBolt   = "bolt"
	StoreMemory = "memory"
	StoreNone   = "none"
)

// defaults are those of the tags, which TestDefaultsAreThoseOfTheTags compares.
func defaults() Config {
	return Config{
		MessageBytes: 8 << 20, Rate: 200, Burst: 400, RateBytes: 4 << 20, BurstBytes: 16 << 20,
		QueueMessages: 8192, QueueBytes: 16 << 20, LossyMessages: 256, LossyBytes: 1 << 20, Gather: 10 * time.Millisecond,
		PresenceBytes: 16 << 10, PresenceTTL: 4500 * time.Millisecond, PresenceInterval: 40 * time.Millisecond,
		Documents: 100, RoomDocuments: 1000, DocumentBytes: 12 << 20, DocumentClients: 1 << 16, AwarenessClients: 32,
		DocumentIdle: 30 * time.Second, Store: StoreBolt, Relay: RelayAtOnce,
	}
}

func or[T int | time.Duration | string](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

// WithDefaults fills in what is zero.
func (c Config) WithDefaults() Config {
	d := defaults()
	for _, p := range []struct {
		v        *int
		fallback int
	}{
		{&c.MessageBytes, d.MessageBytes},
		{&c.Rate, d.Rate},
		{&c.Burst, d.Burst},
		{&c.RateBytes, d.RateBytes},
		{&c.BurstBytes, d.BurstBytes},
		{&c.QueueMessages, d.QueueMessages},
		{&c.QueueBytes, d.QueueBytes},
		{&c.LossyMessages, d.LossyMessages},
		{&c.LossyBytes, d.LossyBytes},
		{&c.PresenceBytes, d.PresenceBytes},
		{&c.Documents, d.Documents},
		{&c.RoomDocuments, d.RoomDocuments},
		{&c.DocumentBytes, d.DocumentBytes},
		{&c.DocumentClients, d.DocumentClients},
		{&c.AwarenessClients, d.AwarenessClients},
	} {
		or(p.v, p.fallback)
	}
	or(&c.Gather, d.Gather)
	or(&c.PresenceTTL, d.PresenceTTL)
	or(&c.PresenceInterval, d.PresenceInterval)
	or(&c.DocumentIdle, d.DocumentIdle)
	or(&c.Store, d.Store)
	or(&c.Relay, d.Relay)
	return c
}

// minQueueMessages holds at least the fragments of a message of the default size and a gap.
const minQueueMessages = 1024

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	c = c.WithDefaults()
	for name, v := range map[string]int{
		"message_bytes": c.MessageBytes, "rate": c.Rate, "burst": c.Burst, "lossy_messages": c.LossyMessages,
		"lossy_bytes": c.LossyBytes, "presence_bytes": c.PresenceBytes,
		"gather": int(c.Gather), "presence_ttl": int(c.PresenceTTL), "presence_interval": int(c.PresenceInterval),
		"documents": c.Documents, "room_documents": c.RoomDocuments, "document_bytes": c.DocumentBytes,
		"document_clients": c.DocumentClients, "awareness_clients": c.AwarenessClients, "document_idle": int(c.DocumentIdle),
	} {
		if v < 0 {
			return fmt.Errorf("datachannel.%s is negative: give a positive value, or leave it out for the default", name)
		}
	}
	if err := c.document().Validate(); err != nil {
		return fmt.Errorf("datachannel.message_bytes, document_bytes or document_clients: %w", err)
	}
	largest := c.MessageBytes + inbox.FrameSlack
	switch {
	case c.BurstBytes < largest:
		return fmt.Errorf("datachannel.burst_bytes is %d: the largest message could never be sent; make it at least %d or lower datachannel.message_bytes", c.BurstBytes, largest)
	case c.QueueBytes < largest:
		return fmt.Errorf("datachannel.queue_bytes is %d: the largest message would never fit; make it at least %d or lower datachannel.message_bytes", c.QueueBytes, largest)
	case c.QueueBytes < c.DocumentBytes+inbox.FrameSlack:
		return fmt.Errorf("datachannel.document_bytes is %d: a document of that size would never fit into datachannel.queue_bytes; make that at least %d", c.DocumentBytes, c.DocumentBytes+inbox.FrameSlack)
	case c.Store != StoreBolt && c.Store != StoreMemory && c.Store != StoreNone:
		return fmt.Errorf("datachannel.store is %q: it is %s, %s or %s", c.Store, StoreBolt, StoreMemory, StoreNone)
	case c.Relay != RelayAtOnce && c.Relay != RelayAfterCommit:
		return fmt.Errorf("datachannel.relay is %q: it is %s or %s", c.Relay, RelayAtOnce, RelayAfterCommit)
	case c.QueueMessages < minQueueMessages || c.QueueMessages < 2*largest/fragmentData:
		return fmt.Errorf("datachannel.queue_messages is %d: the fragments of the largest message would not fit; make it at least %d", c.QueueMessages, max(minQueueMessages, 2*largest/fragmentData))
	}
	return nil
}

func (c Config) inbox() inbox.Limits {
	return inbox.Limits{
		MessageBytes: c.MessageBytes, Rate: float64(c.Rate), Burst: c.Burst, RateBytes: float64(c.RateBytes), BurstBytes: c.BurstBytes,
	}
}

func (c Config) outbox() outbox.Limits {
	return outbox.Limits{
		Messages: c.QueueMessages, Bytes: c.QueueBytes, LossyMessages: c.LossyMessages, LossyBytes: c.LossyBytes, Gather: c.Gather,
	}
}

func (c Config) presence() presence.Limits {
	return presence.Limits{Bytes: c.PresenceBytes, TTL: c.PresenceTTL, Interval: c.PresenceInterval}
}

// document has no room for what waits behind a gap: who sends that is told to open the document again, which sends the rest.
func (c Config) document() yjs.Limits {
	return yjs.Limits{UpdateBytes: c.MessageBytes, Bytes: c.DocumentBytes, PendingBytes: -1, Clients: c.DocumentClients}
}

func (c Config) awareness() yjs.AwarenessLimits {
	return yjs.AwarenessLimits{StateBytes: c.PresenceBytes, PerOwner: c.AwarenessClients}
}
