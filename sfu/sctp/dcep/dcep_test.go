package dcep

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var opens = []Open{
	{},
	{Label: "turnout", Protocol: "p"},
	{Kind: Kind{Unordered: true}, Label: "äöü", Priority: 256},
	{Kind: Kind{Limited: true}, Label: "lossy"},
	{Kind: Kind{Unordered: true, Limited: true, MaxRetransmits: 1 << 31}, Label: "lossy"},
	{Kind: Kind{Lifetime: 300 * time.Millisecond}, Protocol: "json"},
	{Kind: Kind{Unordered: true, Lifetime: time.Hour}},
}

func TestAnOpenIsReadAsItWasWritten(t *testing.T) {
	for _, o := range opens {
		got, err := ParseOpen(AppendOpen(nil, o), 100)
		if err != nil || got != o {
			t.Errorf("%+v became %+v, %v", o, got, err)
		}
	}
}

func TestTheWireIsThatOfTheRFC(t *testing.T) {
	for wire, want := range map[string]Open{
		"\x03\x00\x01\x00\x00\x00\x00\x00\x00\x02\x00\x01lap": {Priority: 256, Label: "la", Protocol: "p"},
		"\x03\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00":    {Kind: Kind{Unordered: true}},
		"\x03\x01\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00":    {Kind: Kind{Limited: true, MaxRetransmits: 258}},
		"\x03\x82\x00\x00\x00\x00\x00\x07\x00\x00\x00\x00":    {Kind: Kind{Unordered: true, Lifetime: 7 * time.Millisecond}},
	} {
		if got, err := ParseOpen([]byte(wire), 10); err != nil || got != want {
			t.Errorf("%x is %+v, %v, want %+v", wire, got, err, want)
		}
		if got := AppendOpen(nil, want); string(got) != wire {
			t.Errorf("%+v is written as %x, want %x", want, got, wire)
		}
	}
}

func TestABadOpenIsRefused(t *testing.T) {
	good := AppendOpen(nil, Open{Label: "label", Protocol: "protocol"})
	for n := range good {
		if _, err := ParseOpen(good[:n], 100); err == nil {
			t.Errorf("the first %d bytes are enough", n)
		}
	}
	wrong := append([]byte(nil), good...)
	wrong[1] = 3
	if _, err := ParseOpen(wrong, 100); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	if _, err := ParseOpen(AppendOpen(nil, Open{Label: strings.Repeat("l", 101)}), 100); !errors.Is(err, ErrLong) {
		t.Error(err)
	}
	if _, err := ParseOpen(AppendAck(nil), 100); !errors.Is(err, ErrNotOpen) {
		t.Error(err)
	}
}

func TestAnAckIsKnown(t *testing.T) {
	if !IsAck(AppendAck(nil)) || IsAck(nil) || IsAck(AppendOpen(nil, Open{})) {
		t.Error("an ack is not told from what is none")
	}
}

func FuzzParseOpen(f *testing.F) {
	for _, o := range opens {
		f.Add(AppendOpen(nil, o))
	}
	f.Add(AppendAck(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOpen(b, 64)
		if err != nil {
			return
		}
		if len(o.Label) > 64 || len(o.Protocol) > 64 {
			t.Fatal("too long")
		}
		if again, err := ParseOpen(AppendOpen(nil, o), 64); o.Lifetime != time.Nanosecond && (err != nil || again != o) {
			t.Fatalf("%+v, %+v, %v", o, again, err)
		}
	})
}
