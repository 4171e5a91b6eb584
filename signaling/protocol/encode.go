package protocol

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Body is a server message encoded once. The envelope, which differs from session to session, is put around it by
// AppendFrame, so that a message to a whole room shares its bytes. A Body is never changed.
type Body struct {
	t string
	d []byte
}

// EncodeBody encodes m. It panics only if a type of this package cannot be encoded, which its tests rule out.
func EncodeBody(m ServerMessage) Body {
	d, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("protocol: encode %s: %v", m.serverType(), err))
	}
	return Body{t: m.serverType(), d: d}
}

// Len is the size of the encoded message without its envelope, in bytes.
func (b Body) Len() int { return len(b.d) }

// AppendFrame appends the whole frame to dst. Zero leaves out n or re.
func (b Body) AppendFrame(dst []byte, n, re uint64) []byte {
	dst = append(dst, `{"t":"`...)
	dst = append(dst, b.t...)
	dst = append(dst, '"')
	if n != 0 {
		dst = strconv.AppendUint(append(dst, `,"n":`...), n, 10)
	}
	if re != 0 {
		dst = strconv.AppendUint(append(dst, `,"re":`...), re, 10)
	}
	dst = append(dst, `,"d":`...)
	dst = append(dst, b.d...)
	return append(dst, '}')
}

// EncodeRequest makes a client's frame. An id of 0 is left out: no reply is wanted.
func EncodeRequest(id uint64, m ClientMessage) ([]byte, error) {
	frame, err := json.Marshal(struct {
		T  string        `json:"t"`
		ID uint64        `json:"id,omitempty"`
		D  ClientMessage `json:"d"`
	}{m.clientType(), id, m})
	if err != nil {
		return nil, fmt.Errorf("protocol: encode %s: %w", m.clientType(), err)
	}
	return frame, nil
}

// Response is a server's message in its envelope. N and Re are 0 when left out.
type Response struct {
	N, Re   uint64
	Message ServerMessage
}

// DecodeResponse reads one frame of the server's, for clients. A type that it does not know is an *Error with UnknownType
// and is to be ignored: the server may be newer.
func DecodeResponse(frame []byte) (Response, error) {
	var env struct {
		T  string          `json:"t"`
		N  uint64          `json:"n"`
		Re uint64          `json:"re"`
		D  json.RawMessage `json:"d"`
	}
	if err := json.Unmarshal(frame, &env); err != nil {
		return Response{}, malformed("the server's message is not an envelope: %v", err)
	}
	r := Response{N: env.N, Re: env.Re}
	if len(env.D) == 0 {
		env.D = []byte("{}")
	}
	m, err := decodeServer(env.T, env.D)
	if err != nil {
		return r, malformed("the server's %s cannot be read: %v", env.T, err)
	}
	if m == nil {
		return r, &Error{Code: UnknownType, Message: "the server sent an unknown message of type " + quote(env.T)}
	}
	r.Message = m
	return r, nil
}

// decodeServer reads the data of a message; nil, nil is an unknown type.
func decodeServer(t string, d []byte) (ServerMessage, error) {
	switch t {
	case "error":
		return decodeError(d)
	case "joined":
		return decodeAs[Joined](d)
	case "resumed":
		return decodeAs[Resumed](d)
	case "ok":
		return decodeAs[OK](d)
	case "answer":
		return decodeAs[Answer](d)
	case "slots":
		return decodeAs[Slots](d)
	case "needOffer":
		return decodeAs[NeedOffer](d)
	case "slotMap":
		return decodeAs[SlotMap](d)
	case "participantJoined":
		return decodeAs[ParticipantJoined](d)
	case "participantUpdated":
		return decodeAs[ParticipantUpdated](d)
	case "participantLeft":
		return decodeAs[ParticipantLeft](d)
	case "published":
		return decodeAs[Published](d)
	case "publicationUpdated":
		return decodeAs[PublicationUpdated](d)
	case "unpublished":
		return decodeAs[Unpublished](d)
	case "iceServers":
		return decodeAs[ICEServers](d)
	case "draining":
		return decodeAs[Draining](d)
	case "disconnect":
		return decodeAs[Disconnect](d)
	case "pong":
		return decodeAs[Pong](d)
	default:
		return nil, nil
	}
}

func decodeAs[M ServerMessage](d []byte) (ServerMessage, error) {
	var m M
	err := json.Unmarshal(d, &m)
	return m, err
}

func decodeError(d []byte) (ServerMessage, error) {
	e := new(Error)
	err := json.Unmarshal(d, e)
	return e, err
}
