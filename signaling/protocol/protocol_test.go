package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestMalformedMessagesAreRefusedInWords(t *testing.T) {
	long := strings.Repeat("x", MaxName+1)
	for _, c := range []struct{ name, frame, says string }{
		{"empty", ``, "not a JSON object"},
		{"array", `[]`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"not UTF-8", "{\"t\":\"\xff\"}", "not UTF-8"},
		{"trailing", `{"t":"leave"}{}`, "not a JSON object"},
		{"no type", `{"d":{}}`, "message.t must be a string"},
		{"type is a number", `{"t":1}`, "message.t must be a string"},
		{"data is a list", `{"t":"leave","d":[]}`, "message.d must be an object"},
		{"id is a string", `{"t":"leave","id":"1"}`, "message.id must be a whole number"},
		{"id is zero", `{"t":"leave","id":0}`, "message.id must be a whole number"},
		{"id is a fraction", `{"t":"leave","id":1.5}`, "message.id must be a whole number"},
		{"missing field", `{"t":"mute","d":{"id":"a"}}`, "mute.muted must be true or false"},
		{"null field", `{"t":"mute","d":{"id":"a","muted":null}}`, "mute.muted must be true or false"},
		{"case counts", `{"t":"unpublish","d":{"ID":"a"}}`, "unpublish.id must be"},
		{"bad id", `{"t":"unpublish","d":{"id":"a b"}}`, "1–32 of"},
		{"empty id", `{"t":"unpublish","d":{"id":""}}`, "1–32 of"},
		{"long id", `{"t":"unpublish","d":{"id":"` + strings.Repeat("a", 33) + `"}}`, "1–32 of"},
		{"long name", `{"t":"update","d":{"name":"` + long + `"}}`, "update.name must be a string of at most 256 bytes"},
		{"attribute is a number", `{"t":"update","d":{"attributes":{"a":1}}}`, "update.attributes"},
		{"attribute is null", `{"t":"update","d":{"attributes":{"a":null}}}`, "update.attributes"},
		{"attribute without a name", `{"t":"update","d":{"attributes":{"":"x"}}}`, "update.attributes"},
		{"attributes too big", `{"t":"update","d":{"attributes":{"a":"` + strings.Repeat("x", MaxAttributeSum) + `"}}}`, "update.attributes"},
		{"rev too big", `{"t":"ready","d":{"rev":4294967296}}`, "ready.rev must be a whole number from 1 to"},
		{"n is negative", `{"t":"ping","d":{"n":-1}}`, "ping.n must be"},
		{"join without client", `{"t":"join","d":{"protocol":1}}`, "join.client must be an object"},
		{"publication is no object", `{"t":"offer","d":{"transport":1,"rev":1,"sdp":"","publications":[1]}}`, "offer.publications"},
		{"publication without source", `{"t":"offer","d":{"transport":1,"rev":1,"sdp":"","publications":[{"mid":"0","id":"a"}]}}`, "offer.publications[0].source"},
		{"publications left out", `{"t":"offer","d":{"transport":1,"rev":1,"sdp":""}}`, "offer.publications must be a list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := DecodeRequest([]byte(c.frame))
			fault := asError(t, err)
			if fault.Code != Malformed || !strings.Contains(fault.Message, c.says) || fault.Retryable {
				t.Errorf("got %+v, want malformed, saying %q", fault, c.says)
			}
		})
	}
}

func TestUnknownTypeAndVersionHaveTheirOwnCodes(t *testing.T) {
	for _, c := range []struct {
		frame string
		code  Code
	}{
		{`{"t":"dance","id":4}`, UnknownType},
		{`{"t":"` + strings.Repeat("é", 60) + `","id":4}`, UnknownType},
		{`{"t":"join","id":4,"d":{"protocol":2,"hello":"world"}}`, Unsupported},
		{`{"t":"resume","id":4,"d":{"protocol":2}}`, Unsupported},
	} {
		r, err := DecodeRequest([]byte(c.frame))
		if fault := asError(t, err); fault.Code != c.code {
			t.Errorf("%s: %v, want %s", c.frame, fault, c.code)
		}
		if r.ID != 4 {
			t.Errorf("%s: the id was not read: the error could not be a reply", c.frame)
		}
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	r, err := DecodeRequest([]byte(`{"t":"mute","v":9,"d":{"id":"a","muted":true,"since":[1,{}]}}`))
	if want := (Mute{ID: "a", Muted: true}); err != nil || r.Message != want {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestCandidateOfABrowserMayHoldNull(t *testing.T) {
	r, err := DecodeRequest([]byte(`{"t":"candidate","d":{"candidate":"x","sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}}`))
	if want := (Candidate{Candidate: "x"}); err != nil || r.Message != want {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestNothingIsEverWrittenAsNull(t *testing.T) {
	for _, m := range everyServerMessage() {
		if frame := EncodeBody(m).AppendFrame(nil, 1, 1); bytes.Contains(frame, []byte("null")) || !json.Valid(frame) {
			t.Errorf("%s", frame)
		}
	}
}

func TestABodyIsSharedBetweenEnvelopes(t *testing.T) {
	b := EncodeBody(Resumed{ID: 3})
	for _, c := range []struct {
		n, re uint64
		want  string
	}{
		{0, 0, `{"t":"resumed","d":{"id":3}}`},
		{7, 0, `{"t":"resumed","n":7,"d":{"id":3}}`},
		{7, 2, `{"t":"resumed","n":7,"re":2,"d":{"id":3}}`},
	} {
		if got := string(b.AppendFrame(nil, c.n, c.re)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	buf := make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() { buf = b.AppendFrame(buf[:0], 1<<40, 9) }); n != 0 {
		t.Errorf("%v allocations for an envelope", n)
	}
}

func TestClientsSkipWhatANewerServerSays(t *testing.T) {
	r, err := DecodeResponse([]byte(`{"t":"confetti","n":8,"d":{"colour":"red"}}`))
	if fault := asError(t, err); fault.Code != UnknownType || r.N != 8 {
		t.Errorf("got %+v, %v: the number must be known, the message skipped", r, err)
	}
	if r, err := DecodeResponse([]byte(`{"t":"pong"}`)); err != nil || r.Message != (Pong{}) {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, bad := range []string{`x`, `{"t":"resumed","d":7}`, `{"t":"ok","n":-1}`} {
		if _, err := DecodeResponse([]byte(bad)); asError(t, err).Code != Malformed {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestPermissionsNameSources(t *testing.T) {
	for _, c := range []struct {
		p    Permissions
		want bool
	}{
		{Permissions{}, false},
		{Permissions{Publish: true}, true},
		{Permissions{Publish: true, Sources: List[string]{Microphone}}, false},
		{Permissions{Publish: true, Sources: List[string]{Microphone, Camera}}, true},
		{Permissions{Publish: true, Hidden: true}, false},
	} {
		if got := c.p.MayPublish(Camera); got != c.want {
			t.Errorf("%+v: %v", c.p, got)
		}
	}
}

func TestEveryReasonAndRefusalHasACloseCode(t *testing.T) {
	reasons := map[Reason]CloseCode{Left: 1000, Kicked: 4001, DuplicateIdentity: 4003, RoomEnded: 4002, ServerShutdown: 1001, SlowReader: 4005, Flood: 4006}
	for r, want := range reasons {
		if got := CloseFor(r); got != want {
			t.Errorf("%s: %d, want %d", r, got, want)
		}
	}
	codes := map[Code]CloseCode{AuthMissing: 1008, AuthForbidden: 1008, RoomFull: 1013, IdentityTaken: 1013, ServerDraining: 1001, Unsupported: 4007, ServerInternal: 1011, Malformed: 4000, JoinTimeout: 4000}
	for c, want := range codes {
		if got := CloseForRefused(c); got != want {
			t.Errorf("%s: %d, want %d", c, got, want)
		}
	}
}

func asError(t testing.TB, err error) *Error {
	t.Helper()
	var fault *Error
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want an *Error", err)
	}
	return fault
}

// FuzzDecodeRequest: whatever a client sends gives a message or an *Error that says something; a message that was read can
// be written and read again as the same.
func FuzzDecodeRequest(f *testing.F) {
	for _, g := range readGolden(f) {
		f.Add([]byte(g.Frame))
	}
	f.Add([]byte(`{"t":"ping","id":1e3,"d":{"n":9007199254740992}}`))
	f.Add([]byte(`{"t":"update","d":{"attributes":{"a":null}}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := DecodeRequest(frame)
		if err != nil {
			if fault := asError(t, err); fault.Code == "" || fault.Message == "" {
				t.Fatalf("an error that says nothing: %+v", fault)
			}
			return
		}
		again, err := EncodeRequest(r.ID, r.Message)
		if err != nil {
			t.Fatal(err)
		}
		r2, err := DecodeRequest(again)
		if u, ok := r.Message.(Update); ok && len(u.Attributes) == 0 {
			return // {} and left out mean the same
		}
		if err != nil || !reflect.DeepEqual(r, r2) {
			t.Fatalf("%+v became %+v (%v) by way of %s", r, r2, err, again)
		}
	})
}

// FuzzDecodeResponse: a client survives any server.
func FuzzDecodeResponse(f *testing.F) {
	for _, g := range readGolden(f) {
		f.Add([]byte(g.Frame))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := DecodeResponse(frame)
		if err != nil {
			_ = asError(t, err)
			return
		}
		if again := EncodeBody(r.Message).AppendFrame(nil, r.N, r.Re); !json.Valid(again) {
			t.Fatalf("%s", again)
		}
	})
}

func BenchmarkDecodeRequest(b *testing.B) {
	b.ReportAllocs()
	frame := []byte(`{"t":"candidate","d":{"candidate":"candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}}`)
	for b.Loop() {
		if _, err := DecodeRequest(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	b.ReportAllocs()
	body := EncodeBody(ParticipantLeft{SID: "PA_1aB2cD3eF4gH", Identity: "ada", Reason: Left})
	buf := make([]byte, 0, 256)
	for b.Loop() {
		buf = body.AppendFrame(buf[:0], 4711, 0)
	}
}
