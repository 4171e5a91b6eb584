package yjs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func TestMessagesAreThoseOfTheProtocol(t *testing.T) {
	for name, c := range map[string]struct {
		message Message
		wire    string
	}{
		"step 1":   {Message{SyncStep1, []byte{0}}, "00000100"},
		"step 2":   {Message{SyncStep2, []byte{0, 0}}, "0001020000"},
		"update":   {Message{SyncUpdate, []byte{0, 0}}, "0002020000"},
		"presence": {Message{AwarenessUpdate, []byte{0}}, "010100"},
		"denied":   {Message{PermissionDenied, []byte("no")}, "0200026e6f"},
		"query":    {Message{QueryAwareness, nil}, "03"},
	} {
		if got := hex.EncodeToString(c.message.Append(nil)); got != c.wire {
			t.Errorf("%s is written %s, want %s", name, got, c.wire)
		}
		wire, _ := hex.DecodeString(c.wire)
		if m, err := DecodeMessage(wire); err != nil || m.Kind != c.message.Kind || !bytes.Equal(m.Body, c.message.Body) {
			t.Errorf("%s is read %+v, %v", name, m, err)
		}
	}
}

func TestMalformedMessagesAreNamed(t *testing.T) {
	for wire, fault := range map[string]Fault{
		"":             Truncated,
		"00":           Truncated,
		"0000":         Truncated,
		"000005":       Truncated,
		"0003":         BadMessage,
		"04":           BadMessage,
		"0201":         BadMessage,
		"020001ff":     BadText,
		"0000010000":   Trailing,
		"0302":         Trailing,
		"0000ffffffff": Truncated,
	} {
		b, _ := hex.DecodeString(wire)
		var malformed *MalformedError
		if _, err := DecodeMessage(b); !errors.As(err, &malformed) || malformed.Fault != fault {
			t.Errorf("%s: %v, want %s", wire, err, fault)
		}
	}
}

// TestHandshakeWithYProtocols lets a client of y-protocols and a document of ours exchange what each lacks.
func TestHandshakeWithYProtocols(t *testing.T) {
	o := startOracle(t)
	for seed := range 50 {
		p := o.history(t, seed)
		d := docOf(t, p.Deliveries[:len(p.Deliveries)/2]...)
		var client struct{ Step1 []byte }
		o.ask(t, map[string]any{"ask": "connect"}, &client)
		m, err := DecodeMessage(client.Step1)
		if err != nil || m.Kind != SyncStep1 {
			t.Fatalf("%+v, %v", m, err)
		}
		v, err := DecodeStateVector(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Step2 []byte }
		o.ask(t, map[string]any{
			"ask":      "sync",
			"messages": [][]byte{Message{SyncStep2, d.Diff(v)}.Append(nil), Message{SyncStep1, d.StateVector().Append(nil)}.Append(nil)},
		}, &answer)
		if m, err = DecodeMessage(answer.Step2); err != nil || m.Kind != SyncStep2 {
			t.Fatalf("%+v, %v", m, err)
		}
		if _, err := d.Apply(m.Body); err != nil {
			t.Fatal(err)
		}
		var reply struct{ Wrong []string }
		o.ask(t, map[string]any{"ask": "synced", "document": d.Encode()}, &reply)
		if len(reply.Wrong) > 0 {
			t.Errorf("seed %d: %v", seed, reply.Wrong)
		}
	}
}

// TestAwarenessWithYProtocols lets two clients of y-protocols see each other through ours.
func TestAwarenessWithYProtocols(t *testing.T) {
	o := startOracle(t)
	o.history(t, 1)
	a := NewAwareness(AwarenessLimits{})
	var reply [][]byte
	hear := func(from Owner, messages [][]byte) (relay [][]byte) {
		for _, b := range messages {
			m, err := DecodeMessage(b)
			if err != nil || m.Kind != AwarenessUpdate {
				t.Fatalf("%+v, %v", m, err)
			}
			h := heard(t, a, start, from, m.Body)
			if h.Relay != nil {
				relay = append(relay, Message{AwarenessUpdate, h.Relay}.Append(nil))
			}
			if h.Reply != nil {
				reply = append(reply, Message{AwarenessUpdate, h.Reply}.Append(nil))
			}
		}
		return relay
	}
	type said struct {
		Sent   [][]byte
		States map[string]struct{ Name string }
	}
	say := func(who int, state any, receive [][]byte) (s said) {
		if receive == nil {
			receive = [][]byte{}
		}
		request := map[string]any{"ask": "awareness", "who": who, "receive": receive}
		if state != nil {
			request["state"] = state
		}
		o.ask(t, request, &s)
		return s
	}
	type name struct {
		Name string `json:"name"`
	}
	fromAnn := hear(ann, say(0, name{"ann"}, nil).Sent)
	second := say(1, name{"bob"}, fromAnn)
	fromBob := hear(bob, second.Sent) // with an echo of ann
	first := say(0, name{"Ann"}, fromBob)
	if len(first.States) != 2 || first.States["102"].Name != "bob" {
		t.Errorf("the first sees %v", first.States)
	}
	second = say(1, name{"bob"}, hear(ann, first.Sent))
	if len(second.States) != 2 || second.States["101"].Name != "Ann" {
		t.Errorf("the second sees %v", second.States)
	}
	gone := Message{AwarenessUpdate, a.Leave(start, 1)}.Append(nil)
	if second = say(1, name{"bob"}, [][]byte{gone}); len(second.States) != 1 {
		t.Errorf("after one has left the second sees %v", second.States)
	}
	if reply != nil {
		t.Fatalf("told to be gone: %q", reply)
	}
	if hear(ann, first.Sent) != nil || reply == nil { // comes back and says what it has said before
		t.Fatal("who comes back is not told that it was gone")
	}
	back := hear(ann, say(0, nil, reply).Sent)
	if second = say(1, nil, back); second.States["101"].Name != "Ann" {
		t.Errorf("after one has come back the second sees %v", second.States)
	}
}
