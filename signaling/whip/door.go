package whip

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-rtc/turnout/signaling/auth"
	"github.com/turnout-rtc/turnout/signaling/places"
	"github.com/turnout-rtc/turnout/signaling/protocol"
	"github.com/turnout-rtc/turnout/turn/quota"
)

// Door answers /whip and /whep.
type Door struct {
	// Set at construction, never changed.
	cfg   Config
	rooms Rooms
	calls *places.Places[string, *call] // by id

	playing atomic.Int64 // of calls

	// Guarded by mu.
	mu      sync.Mutex
	refused map[string]uint64
	sources *quota.Sources
}

// NewDoor makes a door.
func NewDoor(cfg Config, rooms Rooms) *Door {
	cfg = cfg.WithDefaults()
	rate := quota.Rate{PerSecond: float64(cfg.Rate), Burst: 2 * float64(cfg.Rate)}
	return &Door{cfg: cfg, rooms: rooms, calls: places.New[string, *call](cfg.MaxSessions), refused: map[string]uint64{}, sources: quota.NewSources(rate)}
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
	playing := d.playing.Load() // who plays has a place, and may have left it by the next line
	publishing := max(0, int64(d.calls.Len())-playing)
	d.mu.Lock()
	defer d.mu.Unlock()
	return Stats{Publishing: publishing, Playing: playing, Refused: maps.Clone(d.refused)}
}

// Close lets nobody in any more and waits for the calls, which end with their rooms. It may be called twice.
func (d *Door) Close() {
	d.calls.Shut()
	<-d.calls.Emptied()
}

func (d *Door) count(code string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused[code]++
}

// open starts a call in the place that was reserved for it. It says false when the door is shut.
func (d *Door) open(c *call) bool {
	if !d.calls.Fill(c.id, c) {
		return false
	}
	if c.plays {
		d.playing.Add(1)
	}
	go func() { // Close waits for it
		defer d.calls.Leave(c.id)
		c.run()
		if c.plays {
			d.playing.Add(-1)
		}
	}()
	return true
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
