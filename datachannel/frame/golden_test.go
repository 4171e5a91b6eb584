package frame

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write testdata/golden.json anew")

const goldenFile = "testdata/golden.json"

// golden is one entry of the file: a wire message, and the frames in it or the name of the error.
// A frame is an object: type (by name), then its fields in camelCase, bytes as hex. Of a frame that is ignored or
// malformed there is only the number of its type.
type golden struct {
	Name   string           `json:"name"`
	From   string           `json:"from"`
	Hex    string           `json:"hex"`
	Frames []map[string]any `json:"frames,omitempty"`
	Error  string           `json:"error,omitempty"` // "framing": the wire is to be closed
}

type sample struct {
	name, from string
	frames     []Frame
}

func samples() []sample {
	one := func(name, from string, f ...Frame) sample { return sample{name, from, f} }
	long := []byte(strings.Repeat("0123456789abcdef", 20))
	return []sample{
		one("hello, first", "client", Hello{Version: 1}),
		one("hello, resuming", "client", Hello{Version: 1, Stream: MaxNumber, Received: 300}),
		one("welcome", "server", Welcome{1, 0x1234567890ab, 17, 8388608, 16384, 4500}),
		one("ack", "client", Ack{Received: 128}),
		one("ack", "server", Ack{Received: MaxNumber}),
		one("presence set", "client", PresenceSet{Clock: 3, Present: true, Data: []byte(`{"x":1}`)}),
		one("presence taken back", "client", PresenceSet{Clock: 4}),
		one("send to all", "client", Send{ID: 1, Topic: "chat", Payload: []byte(`{"text":"grüezi 👋"}`)}),
		one("send to two", "client", Send{Topic: "cursor/ü", To: ToIdentities, Identities: []string{"bob", "ünal"}, Payload: []byte{0, 255}}),
		one("send to the server, empty", "client", Send{ID: 70000, Topic: "t", To: ToServer}),
		one("lossy send", "client", Send{Lossy: true, Topic: "pointer", Payload: []byte{1, 2, 3}}),
		one("message", "server", Message{From: "alice", Topic: "chat", Payload: []byte("hi")}),
		one("message from the server", "server", Message{Topic: "notice", Payload: long}),
		one("lossy message", "server", Message{Lossy: true, From: "alice", Topic: "pointer", Payload: []byte{1, 2, 3}}),
		one("error", "server", Error{ID: 9, Code: "data.forbidden", Message: "You may not send on the topic \"x\".", Hint: "Ask for a token with it.", Retryable: false}),
		one("error without id, retryable", "server", Error{Code: "rate.limited", Message: "Too many messages.", Retryable: true}),
		one("fragment, first", "client", Fragment{ID: 5, Offset: 0, Total: 20000, Data: []byte{0x11, 5}}),
		one("fragment, last", "server", Fragment{ID: 5, Offset: 19998, Total: 20000, Data: []byte{8, 9}}),
		one("gap", "server", Gap{Dropped: 1025}),
		one("presence, full and empty", "server", Presence{Full: true}),
		one("presence, changes", "server", Presence{Entries: []PresenceEntry{
			{Identity: "alice", Clock: 7, Present: true, Data: []byte("{}")}, {Identity: "bob", Clock: 1 << 33},
		}}),
		one("document open", "client", DocOpen{ID: 2, Doc: 1, Name: "notes", StateVector: []byte{0}}),
		one("document state", "server", DocState{Doc: 1, Writable: true, Epoch: 0xfedcba, Seq: 12, Update: []byte{0, 0}, StateVector: []byte{1, 5, 9}}),
		one("document update", "client", DocUpdate{ID: 3, Doc: 1, Update: []byte{0, 0}}),
		one("document change", "server", DocChange{Doc: 1, Epoch: 1, Seq: 13, Update: []byte{0, 0}}),
		one("document ack", "server", DocAck{ID: 3, Doc: 1, Epoch: 1, Seq: 13}),
		one("document awareness", "client", DocAwareness{Doc: 1, Update: []byte{1, 1, 0}}),
		one("document close", "client", DocClose{Doc: 1}),
		one("document closed", "server", DocClosed{Doc: 2, Code: "data.forbidden", Message: "You may not read this document.", Hint: "Ask for a token with it."}),
		one("several frames in one wire message", "server", Ack{Received: 1}, Message{From: "a", Topic: "t", Payload: []byte("1")}, Gap{Dropped: 2}),
	}
}

// rawSamples are wire messages that no encoder of ours writes.
func rawSamples() []golden {
	frames := func(f ...map[string]any) []map[string]any { return f }
	unknown := func(number int) map[string]any { return map[string]any{"type": "unknown", "number": number} }
	malformed := func(number int) map[string]any { return map[string]any{"type": "malformed", "number": number} }
	ack := map[string]any{"type": "ack", "received": 1}
	return []golden{
		{Name: "unknown counted type is ignored, the next is read", From: "server", Hex: "047f010203" + "020301", Frames: frames(unknown(0x7f), ack)},
		{Name: "unknown link type", From: "client", Hex: "010f", Frames: frames(unknown(0x0f))},
		{Name: "bytes behind the known fields are ignored", From: "client", Hex: "0403" + "01ffff", Frames: frames(ack)},
		{Name: "number in more bytes than needed", From: "client", Hex: "0403818000", Frames: frames(ack)},
		{Name: "number above 2^53-1", From: "client", Hex: "0903ffffffffffffff" + "7f", Frames: frames(malformed(0x03))},
		{Name: "number of nine bytes", From: "client", Hex: "0a03808080808080808000", Frames: frames(malformed(0x03))},
		{Name: "body ends early, the next is read", From: "client", Hex: "0201" + "01" + "020301", Frames: frames(malformed(0x01), ack)},
		{Name: "topic is not UTF-8", From: "client", Hex: "07110001ff000000", Frames: frames(malformed(0x11))},
		{Name: "topic is empty", From: "client", Hex: "06110000000000", Frames: frames(malformed(0x11))},
		{Name: "flag is 2", From: "client", Hex: "0406010200", Frames: frames(malformed(0x06))},
		{Name: "identities without to = 1", From: "client", Hex: "091100017400" + "016100" + "00", Frames: frames(malformed(0x11))},
		{Name: "to = 1 without identities", From: "client", Hex: "071100017401" + "0000", Frames: frames(malformed(0x11))},
		{Name: "fragment beyond its total", From: "client", Hex: "081301010303aabbcc", Frames: frames(malformed(0x13))},
		{Name: "document number 0", From: "client", Hex: "022600", Frames: frames(malformed(0x26))},
		{Name: "length beyond the message", From: "client", Hex: "0503" + "01", Error: "framing"},
		{Name: "length 0", From: "client", Hex: "00", Error: "framing"},
		{Name: "second frame cannot be divided off", From: "client", Hex: "020301" + "09", Error: "framing"},
	}
}

func typeName(f Frame) string {
	name := reflect.TypeOf(f).Name()
	switch f.Type() {
	case TypeSendLossy, TypeMessageLossy:
		name += "Lossy"
	default:
	}
	return lowerFirst(name)
}

func lowerFirst(s string) string {
	if s == "ID" || s == "TTL" {
		return strings.ToLower(s)
	}
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

// fields turns a frame into the object of the golden file.
func fields(v reflect.Value) map[string]any {
	m := map[string]any{}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Lossy" {
			continue // said by the type
		}
		m[lowerFirst(name)] = field(v.Field(i))
	}
	return m
}

func field(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case []byte:
		return hex.EncodeToString(x)
	case []string:
		return append([]string{}, x...)
	case []PresenceEntry:
		list := []any{}
		for i := range v.Len() {
			list = append(list, fields(v.Index(i)))
		}
		return list
	default:
		return x
	}
}

func build() []golden {
	var all []golden
	for _, s := range samples() {
		var b []byte
		g := golden{Name: s.name, From: s.from}
		for _, f := range s.frames {
			b = Append(b, f)
			m := fields(reflect.ValueOf(f))
			m["type"] = typeName(f)
			g.Frames = append(g.Frames, m)
		}
		g.Hex = hex.EncodeToString(b)
		all = append(all, g)
	}
	return append(all, rawSamples()...)
}

func encode(t *testing.T, all []golden) []byte {
	t.Helper()
	out := bytes.NewBufferString("[\n")
	for i, g := range all {
		line := &bytes.Buffer{}
		enc := json.NewEncoder(line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(g); err != nil {
			t.Fatal(err)
		}
		out.WriteString("  ")
		out.Write(bytes.TrimSpace(line.Bytes()))
		if i < len(all)-1 {
			out.WriteString(",")
		}
		out.WriteString("\n")
	}
	out.WriteString("]\n")
	return out.Bytes()
}

func TestGoldenFileIsWhatWeWrite(t *testing.T) {
	want := encode(t, build())
	if *update {
		if err := os.WriteFile(goldenFile, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("golden.json is not what the samples give: if the wire was meant to change, go test -update and mend the page and TypeScript")
	}
}

func TestGoldenFileIsWhatWeRead(t *testing.T) {
	file, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		t.Run(g.Name, func(t *testing.T) {
			wire, err := hex.DecodeString(g.Hex)
			if err != nil {
				t.Fatal(err)
			}
			frames, err := readAll(wire)
			if g.Error != "" {
				if !errors.Is(err, ErrFraming) {
					t.Fatalf("got %v, want ErrFraming", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(frames)
			want, _ := json.Marshal(g.Frames)
			if !bytes.Equal(got, want) {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func readAll(wire []byte) ([]map[string]any, error) {
	var frames []map[string]any
	for len(wire) > 0 {
		raw, rest, err := Next(wire)
		if err != nil {
			return nil, err
		}
		wire = rest
		f, err := Decode(raw)
		switch {
		case errors.Is(err, ErrUnknown):
			frames = append(frames, map[string]any{"type": "unknown", "number": int(raw.Type)})
		case errors.Is(err, ErrMalformed):
			frames = append(frames, map[string]any{"type": "malformed", "number": int(raw.Type)})
		default:
			m := fields(reflect.ValueOf(f))
			m["type"] = typeName(f)
			frames = append(frames, m)
		}
	}
	return frames, nil
}
