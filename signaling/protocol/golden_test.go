package protocol

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
)

type golden struct {
	Name  string          `json:"name"`
	From  string          `json:"from"`
	Frame json.RawMessage `json:"frame"`
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	raw, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestGoldenFramesSurviveARoundTrip decodes every golden frame and expects to encode exactly the same JSON again: no field
// is forgotten, misspelt or of another type.
func TestGoldenFramesSurviveARoundTrip(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range readGolden(t) {
		t.Run(g.Name, func(t *testing.T) {
			var again []byte
			switch g.From {
			case "client":
				r, err := DecodeRequest(g.Frame)
				if err != nil {
					t.Fatal(err)
				}
				seen[r.Message.clientType()] = true
				if again, err = EncodeRequest(r.ID, r.Message); err != nil {
					t.Fatal(err)
				}
			case "server":
				r, err := DecodeResponse(g.Frame)
				if err != nil {
					t.Fatal(err)
				}
				seen[r.Message.serverType()] = true
				again = EncodeBody(r.Message).AppendFrame(nil, r.N, r.Re)
			default:
				t.Fatalf("from %q", g.From)
			}
			if !sameJSON(t, g.Frame, again) {
				t.Errorf("\n got %s\nwant %s", again, g.Frame)
			}
		})
	}
	for _, m := range everyMessage() {
		if !seen[m] {
			t.Errorf("no golden frame of type %s", m)
		}
	}
}

func everyMessage() []string {
	var all []string
	for _, m := range []ClientMessage{Join{}, Resume{}, Offer{}, Ready{}, Candidate{}, Unpublish{}, Mute{}, Subscribe{}, Update{}, Kick{}, EndRoom{}, Leave{}, Ping{}} {
		all = append(all, m.clientType())
	}
	for _, m := range everyServerMessage() {
		all = append(all, m.serverType())
	}
	return all
}

func everyServerMessage() []ServerMessage {
	return []ServerMessage{
		Joined{}, Resumed{}, OK{}, &Error{}, Answer{}, Slots{}, NeedOffer{}, SlotMap{}, ParticipantJoined{}, ParticipantUpdated{},
		ParticipantLeft{}, Published{}, PublicationUpdated{}, Unpublished{}, ICEServers{}, Draining{}, Disconnect{}, Pong{},
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
