package protocol

import "encoding/json"

// List is a slice that is written as [] when it is nil: clients never see null.
type List[T any] []T

// MarshalJSON writes a nil list as [].
func (l List[T]) MarshalJSON() ([]byte, error) {
	if l == nil {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// Attributes are a participant's key and value pairs.
type Attributes map[string]string

// MarshalJSON writes nil attributes as {}.
func (a Attributes) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]string(a))
}

// Fit says whether a is within MaxAttributes and MaxAttributeSum.
func (a Attributes) Fit() bool {
	sum := 0
	for k, v := range a {
		sum += len(k) + len(v)
	}
	return len(a) <= MaxAttributes && sum <= MaxAttributeSum
}

// Participant is a member of a room as others see it.
type Participant struct {
	SID          string            `json:"sid"`
	Identity     string            `json:"identity"`
	Name         string            `json:"name"`
	Metadata     string            `json:"metadata"`
	Attributes   Attributes        `json:"attributes"`
	JoinedAt     int64             `json:"joinedAt"` // Unix time in milliseconds
	Publications List[Publication] `json:"publications"`
}

// Kind is a publication's kind.
type Kind string

// The kinds of tracks.
const (
	Audio Kind = "audio"
	Video Kind = "video"
)

// Sources that have a meaning to clients; any other string of 1–32 of [A-Za-z0-9_-] is allowed, too.
const (
	Camera      = "camera"
	Microphone  = "microphone"
	Screen      = "screen"
	ScreenAudio = "screenAudio"
)

// Publication is a track offered to the room.
type Publication struct {
	ID     string `json:"id"`
	Kind   Kind   `json:"kind"`
	Source string `json:"source"`
	Muted  bool   `json:"muted"`
}

// Permissions are what a participant may do.
type Permissions struct {
	Publish   bool         `json:"publish"`
	Sources   List[string] `json:"sources"` // empty: all
	Subscribe bool         `json:"subscribe"`
	Data      bool         `json:"data"`
	Admin     bool         `json:"admin"`
	Hidden    bool         `json:"hidden"`
}

// MayPublish says whether tracks of a source may be published.
func (p Permissions) MayPublish(source string) bool {
	if !p.Publish || p.Hidden {
		return false
	}
	for _, s := range p.Sources {
		if s == source {
			return true
		}
	}
	return len(p.Sources) == 0
}

// ICEServer is an RTCIceServer (W3C WebRTC §4.2.4).
type ICEServer struct {
	URLs       List[string] `json:"urls"`
	Username   string       `json:"username,omitempty"`
	Credential string       `json:"credential,omitempty"`
}

// Slot is a recvonly m-line of the client's.
type Slot struct {
	MID  string `json:"mid"`
	Slot string `json:"slot"`
	Kind Kind   `json:"kind"`
}

// Shown says which publication a slot shows.
type Shown struct {
	Slot        string `json:"slot"`
	Publication string `json:"publication"`
}

// ValidToken32 says whether s is 1–32 of [A-Za-z0-9_-], as publication ids and sources are.
func ValidToken32(s string) bool {
	if s == "" || len(s) > maxToken32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
