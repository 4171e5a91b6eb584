package turnapi

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/turnout-rtc/turnout/turn"
)

// Allocations are what GET /v1/turn/allocations answers, the oldest first.
type Allocations struct {
	Allocations []Allocation `json:"allocations"`
}

// Allocation is one of them.
type Allocation struct {
	User      string    `json:"user"`
	Client    string    `json:"client"`    // address the client comes from
	Relayed   string    `json:"relayed"`   // address it was given
	Transport string    `json:"transport"` // udp, tcp or tls
	Created   time.Time `json:"created"`
	Up        Traffic   `json:"up"`   // from the client
	Down      Traffic   `json:"down"` // to it
}

// Traffic counts datagrams and their payload.
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Ended is what DELETE /v1/turn/allocations/{user} answers.
type Ended struct {
	Ended int `json:"ended"` // allocations
}

func (a *API) allocations(w http.ResponseWriter, _ *http.Request) {
	list := Allocations{Allocations: []Allocation{}}
	for one := range a.turn.Allocations() {
		list.Allocations = append(list.Allocations, describe(one))
	}
	slices.SortFunc(list.Allocations, func(a, b Allocation) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Relayed, b.Relayed))
	})
	answer(w, http.StatusOK, list)
}

func describe(a turn.Allocation) Allocation {
	return Allocation{
		User: a.User, Client: a.Client, Relayed: a.Relayed, Transport: a.Transport, Created: a.Created,
		Up: Traffic(a.Up), Down: Traffic(a.Down),
	}
}

func (a *API) revoke(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, Ended{Ended: a.turn.Revoke(r.PathValue("user"))})
}
