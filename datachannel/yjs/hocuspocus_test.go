package yjs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

// The wire forms are those that @hocuspocus/common 4.7.0 and lib0 write.
func TestHocuspocusMessagesAreThoseOfItsProvider(t *testing.T) {
	for _, c := range []struct {
		wire    string
		message Hocuspocus
		again   string // as we write it, if not the same
	}{
		{"056e6f74657302000673656372657405342e372e30", Hocuspocus{[]byte("notes"), Message{Token, []byte("secret")}}, "056e6f746573020006736563726574"},
		{"086e6f74657300733100000100", Hocuspocus{[]byte("notes\x00s1"), Message{SyncStep1, []byte{0}}}, ""},
		{"056e6f7465730201026e6f", Hocuspocus{[]byte("notes"), Message{PermissionDenied, []byte("no")}}, ""},
		{"056e6f746573020208726561646f6e6c79", Hocuspocus{[]byte("notes"), Message{Authenticated, []byte(ScopeReadOnly)}}, ""},
		{"056e6f74657305026869", Hocuspocus{[]byte("notes"), Message{Stateless, []byte("hi")}}, ""},
		{"056e6f74657307", Hocuspocus{[]byte("notes"), Message{Close, nil}}, "056e6f7465730700"},
		{"056e6f7465730703627965", Hocuspocus{[]byte("notes"), Message{Close, []byte("bye")}}, ""},
		{"056e6f7465730801", Hocuspocus{[]byte("notes"), Message{SyncStatus, []byte{1}}}, ""},
		{"056e6f7465730800", Hocuspocus{[]byte("notes"), Message{SyncStatus, []byte{0}}}, ""},
		{"056e6f74657303", Hocuspocus{[]byte("notes"), Message{QueryAwareness, nil}}, ""},
		{"09", Hocuspocus{nil, Message{Ping, nil}}, ""},
		{"0a", Hocuspocus{nil, Message{Pong, nil}}, ""},
	} {
		wire, _ := hex.DecodeString(c.wire)
		m, err := DecodeHocuspocus(wire)
		if err != nil || !bytes.Equal(m.Key, c.message.Key) || m.Kind != c.message.Kind || !bytes.Equal(m.Body, c.message.Body) {
			t.Errorf("%s is read %+v, %v", c.wire, m, err)
		}
		if c.again == "" {
			c.again = c.wire
		}
		if got := hex.EncodeToString(c.message.Append(nil)); got != c.again {
			t.Errorf("%+v is written %s, want %s", c.message, got, c.again)
		}
		if c.message.Key != nil && string(m.Document()) != "notes" {
			t.Errorf("the document is %q", m.Document())
		}
	}
}

func TestMalformedHocuspocusMessagesAreNamed(t *testing.T) {
	for wire, fault := range map[string]Fault{
		"":                   Truncated,
		"05":                 Truncated,
		"056e6f746573":       Truncated,
		"01ff00":             BadText,
		"056e6f74657306":     BadMessage,
		"056e6f746573020300": BadMessage,
		"056e6f74657308":     Truncated,
		"056e6f7465730802":   BadMessage,
		"056e6f746573080100": Trailing,
	} {
		b, _ := hex.DecodeString(wire)
		var malformed *MalformedError
		_, err := DecodeHocuspocus(b)
		if !errors.As(err, &malformed) || malformed.Fault != fault {
			t.Errorf("%s: %v, want %s", wire, err, fault)
		}
	}
}

func FuzzHocuspocus(f *testing.F) {
	for kind := SyncStep1; kind <= Pong; kind++ {
		f.Add(Hocuspocus{Key: []byte("notes"), Message: Message{Kind: kind, Body: []byte{1}}}.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeHocuspocus(b)
		if err != nil {
			return
		}
		again, err := DecodeHocuspocus(m.Append(nil))
		if err != nil || again.Kind != m.Kind || !bytes.Equal(again.Key, m.Key) || !bytes.Equal(again.Body, m.Body) {
			t.Fatalf("%+v is read again as %+v, %v", m, again, err)
		}
	})
}
