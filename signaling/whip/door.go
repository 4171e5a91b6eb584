package whip

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// Door answers /whip and /whep.
type Door struct {
	// Set at construction, never changed.
	cfg   Config
	rooms Rooms

	running sync.WaitGroup // the calls' goroutines

	// Guarded by mu.
	mu       sync.Mutex
	calls    map[string]*call // by id
	reserved int              // for POSTs under way
	playing  int              // of calls
	shut     bool
	refused  map[string]uint64
	sources  *quota.Sources
}

// NewDoor makes a door.
func NewDoor(cfg Config, rooms Rooms) *Door {
	cfg = cfg.WithDefaults()
	rate := quota.Rate{PerSecond: float64(cfg.Rate), Burst: 2 * float64(cfg.Rate)}
	return &Door{cfg: cfg, rooms: rooms, calls: map[string]*call{}, refused: map[string]uint64{}, sources: quota.NewSources(rate)}
}

// Register adds the paths.
func (d *Door) Register(mux *http.ServeMux) {
	mux.HandleFunc("/whip/{room}", d.endpoint(d.publish))
	mux.HandleFunc("/whep/{room}/{identity}", d.endpoint(d.play))
	mux.HandleFunc("/whip/{room}/{id}", d.resource)
	mux.HandleFunc("/whep/{room}/{identity}/{id}", d.resource)
}

// Stats are those of now, and counters since the start.
func (d *Door) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Stats{Publishing: int64(len(d.calls) - d.playing), Playing: int64(d.playing), Refused: maps.Clone(d.refused)}
}

// Close lets nobody in any more and waits for the calls, which end with their rooms. It may be called twice.
func (d *Door) Close() {
	d.mu.Lock()
	d.shut = true
	d.mu.Unlock()
	d.running.Wait()
}

func (d *Door) count(code string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused[code]++
}

// reserve keeps a place for one more, which open takes or release gives back.
func (d *Door) reserve() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut || len(d.calls)+d.reserved >= d.cfg.MaxSessions {
		return false
	}
	d.reserved++
	return true
}

func (d *Door) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reserved--
}

// open starts a call. It says false when the door is shut.
func (d *Door) open(c *call) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	d.reserved--
	d.calls[c.id] = c
	if c.plays {
		d.playing++
	}
	d.running.Go(func() {
		c.run()
		d.forget(c)
	})
	return true
}

func (d *Door) forget(c *call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.calls, c.id)
	if c.plays {
		d.playing--
	}
}

func (d *Door) find(id string) *call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[id]
}

// allow takes a request of an address, as far as the rate goes.
func (d *Door) allow(r *http.Request) *refusal {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ofRoom(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.sources.Take(time.Now(), from.Addr()) {
		return again(http.StatusTooManyRequests, protocol.RateLimited, "too many requests from this address", "ask again in a second")
	}
	return nil
}

// token of a request for a room.
func (d *Door) token(r *http.Request) (auth.Token, *refusal) {
	scheme, signed, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		signed = ""
	}
	t, err := d.rooms.Verify(strings.TrimSpace(signed))
	if err != nil {
		return t, ofRoom(err)
	}
	if t.Room != r.PathValue("room") {
		return t, refuse(http.StatusForbidden, protocol.AuthForbidden, "the access token is for another room", "put the token's room into the URL, or get another token")
	}
	return t, nil
}
