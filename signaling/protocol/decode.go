package protocol

import (
	"encoding/json"
	"math"
	"unicode/utf8"
)

// Request is a client's message in its envelope. ID is 0 when no reply is wanted.
type Request struct {
	ID      uint64
	Message ClientMessage
}

// DecodeRequest reads one frame of a client's. The error is always an *Error; the ID is set if it could be read, so that
// the error can be sent as a reply.
func DecodeRequest(frame []byte) (Request, error) {
	env, id, err := openEnvelope(frame)
	if err != nil {
		return Request{ID: id}, err
	}
	m, fault := decodeClient(env.t, &fields{path: env.t, m: env.d})
	if fault != nil {
		return Request{ID: id}, fault
	}
	return Request{ID: id, Message: m}, nil
}

type envelope struct {
	t string
	d map[string]json.RawMessage
}

func openEnvelope(frame []byte) (envelope, uint64, error) {
	if !utf8.Valid(frame) {
		return envelope{}, 0, malformed("the message is not UTF-8")
	}
	f := fields{path: "message"}
	if err := json.Unmarshal(frame, &f.m); err != nil || f.m == nil {
		return envelope{}, 0, malformed("the message is not a JSON object")
	}
	id := uint64(f.integer("id", false, 1, maxInt))
	env := envelope{t: f.str("t", maxLabel)}
	f.get("d", false, "an object", &env.d)
	if f.err != nil {
		return envelope{}, id, f.err
	}
	return env, id, nil
}

func decodeClient(t string, f *fields) (ClientMessage, *Error) {
	var m ClientMessage
	switch t {
	case "join":
		m = decodeJoin(f)
	case "resume":
		m = decodeResume(f)
	case "offer":
		m = decodeOffer(f)
	case "ready":
		m = Ready{Rev: rev(f)}
	case "candidate":
		m = decodeCandidate(f)
	case "unpublish":
		m = Unpublish{ID: f.word("id")}
	case "mute":
		m = Mute{ID: f.word("id"), Muted: f.boolean("muted")}
	case "subscribe":
		m = Subscribe{ID: f.word("id"), Subscribed: f.boolean("subscribed")}
	case "update":
		m = Update{Name: f.optStr("name", MaxName), Metadata: f.optStr("metadata", MaxMetadata), Attributes: f.attributes("attributes")}
	case "kick":
		m = Kick{Identity: f.str("identity", MaxIdentity), Reason: orEmpty(f.optStr("reason", maxReason))}
	case "endRoom":
		m = EndRoom{Reason: orEmpty(f.optStr("reason", maxReason))}
	case "leave":
		m = Leave{}
	case "ping":
		m = Ping{N: uint64(f.integer("n", true, 0, maxInt))}
	default:
		return nil, &Error{Code: UnknownType, Message: "this server knows no message of type " + quote(t), Hint: "the server may be older than the client"}
	}
	if f.err != nil {
		return nil, f.err
	}
	return m, nil
}

func decodeJoin(f *fields) Join {
	j := Join{Protocol: version(f), Token: orEmpty(f.optStr("token", MaxToken)), AutoSubscribe: f.optBool("autoSubscribe")}
	c := f.object("client")
	j.Client = Client{Name: c.str("name", maxLabel), Version: c.str("version", maxLabel)}
	f.err = c.err
	return j
}

func decodeResume(f *fields) Resume {
	return Resume{
		Protocol: version(f),
		Session:  f.str("session", maxLabel),
		Secret:   f.str("secret", maxLabel),
		N:        uint64(f.integer("n", true, 0, maxInt)),
	}
}

// version comes first: the fields of another version may be different ones.
func version(f *fields) int {
	v := int(f.integer("protocol", true, 0, math.MaxInt32))
	if f.err == nil && v != Version {
		f.err = &Error{Code: Unsupported, Message: "this server speaks protocol version 1", Hint: "update the older of client and server"}
	}
	return v
}

func rev(f *fields) int { return int(f.integer("rev", true, 1, math.MaxInt32)) }

func decodeOffer(f *fields) Offer {
	o := Offer{Transport: int(f.integer("transport", true, 1, math.MaxInt32)), Rev: rev(f), SDP: f.str("sdp", math.MaxInt32)}
	f.each("publications", func(p *fields) {
		a := Announcement{MID: p.str("mid", maxMID), ID: p.word("id"), Source: p.word("source")}
		if muted := p.optBool("muted"); muted != nil {
			a.Muted = *muted
		}
		o.Publications = append(o.Publications, a)
	})
	return o
}

// decodeCandidate takes null, which browsers write for what they do not know, as left out.
func decodeCandidate(f *fields) Candidate {
	return Candidate{
		Candidate:        f.str("candidate", maxCandidate),
		SDPMid:           orEmpty(f.optStr("sdpMid", maxMID)),
		SDPMLineIndex:    uint16(f.integer("sdpMLineIndex", false, 0, math.MaxUint16)),
		UsernameFragment: orEmpty(f.optStr("usernameFragment", 256)), // RFC 8839 §5.4
	}
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// quote shows a client's own word back to it, shortened.
func quote(s string) string {
	b, _ := json.Marshal(s) // a string always marshals
	if len(b) > 64 {
		return string(b[:40]) + `…"`
	}
	return string(b)
}
