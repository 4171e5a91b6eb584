package negotiate

import (
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	maxMID     = 32 // bytes; the header extension of RFC 9143 holds 16 in one-byte form, browsers use 1 to 3
	maxFormats = 96 // in one m-line, of 128 payload types
	maxID      = 32 // characters of a publication's id
)

// Sizes of ICE credentials, RFC 8839 §5.4.
const (
	minUfrag = 4
	minPwd   = 22
	maxICE   = 256
)

// transport checks what all m-lines share: bundling, ICE credentials, DTLS.
func transport(desc *sdp.SessionDescription) *Refusal {
	if len(desc.MediaDescriptions) == 0 {
		return bad("the offer has no m-line: add a data channel or a transceiver before createOffer")
	}
	tagged, r := bundle(desc)
	if r != nil {
		return r
	}
	ufrag, pwd := attribute(desc, tagged, "ice-ufrag"), attribute(desc, tagged, "ice-pwd")
	if n := len(ufrag); n < minUfrag || n > maxICE {
		return bad("a=ice-ufrag has %d characters, it must have %d to %d", n, minUfrag, maxICE)
	}
	if n := len(pwd); n < minPwd || n > maxICE {
		return bad("a=ice-pwd has %d characters, it must have %d to %d", n, minPwd, maxICE)
	}
	hash, sum, found := strings.Cut(attribute(desc, tagged, "fingerprint"), " ")
	if !found || hash == "" || len(strings.Split(sum, ":")) < 16 {
		return bad("a=fingerprint is missing or cannot be read: media is encrypted with DTLS-SRTP")
	}
	switch setup := attribute(desc, tagged, "setup"); setup {
	case "actpass", "active", "passive":
		return nil
	default:
		return bad("a=setup is %q, it must be actpass, or active or passive for a client that has one DTLS role only", setup)
	}
}

// bundle returns the m-line whose transport all share (RFC 9143 §7.2.1).
func bundle(desc *sdp.SessionDescription) (*sdp.MediaDescription, *Refusal) {
	group, _ := desc.Attribute(sdp.AttrKeyGroup)
	words := strings.Fields(group)
	if len(words) < 2 || words[0] != "BUNDLE" {
		if len(desc.MediaDescriptions) == 1 && len(words) == 0 {
			return desc.MediaDescriptions[0], nil
		}
		return nil, bad("a=group:BUNDLE is missing: all m-lines share one transport, set bundlePolicy \"max-bundle\"")
	}
	in := make(map[string]bool, len(words))
	for _, mid := range words[1:] {
		in[mid] = true
	}
	var tagged *sdp.MediaDescription
	for _, m := range desc.MediaDescriptions {
		mid, _ := m.Attribute(sdp.AttrKeyMID)
		if mid == words[1] {
			tagged = m
		}
		if mid != "" && !in[mid] && m.MediaName.Port.Value != 0 {
			return nil, bad("the m-line %q is not in the BUNDLE group: set bundlePolicy \"max-bundle\"", mid)
		}
	}
	if tagged == nil {
		return nil, bad("the BUNDLE group begins with the mid %q, which the offer does not have", words[1])
	}
	return tagged, nil
}

// attribute of the transport: of the session, or else of the m-line.
func attribute(desc *sdp.SessionDescription, m *sdp.MediaDescription, key string) string {
	if v, ok := desc.Attribute(key); ok {
		return v
	}
	v, _ := m.Attribute(key)
	return v
}

// direction of an m-line, RFC 8866 §6.7.
func direction(desc *sdp.SessionDescription, m *sdp.MediaDescription) string {
	directions := []string{"sendrecv", "sendonly", "recvonly", "inactive"}
	for _, d := range directions {
		if _, ok := m.Attribute(d); ok {
			return d
		}
	}
	for _, d := range directions {
		if _, ok := desc.Attribute(d); ok {
			return d
		}
	}
	return "sendrecv"
}

// formats checks payload types, their names and the header extensions, on which the library under us would give up halfway.
func formats(mid string, m *sdp.MediaDescription) *Refusal {
	if m.MediaName.Media == string(Application) {
		return nil
	}
	if len(m.MediaName.Formats) > maxFormats {
		return limit("the m-line %q has %d formats, at most %d are accepted", mid, len(m.MediaName.Formats), maxFormats)
	}
	codecs := (&sdp.SessionDescription{MediaDescriptions: []*sdp.MediaDescription{m}}).GetCodecMap()
	for _, f := range m.MediaName.Formats {
		pt, err := strconv.ParseUint(f, 10, 7)
		if err != nil {
			return bad("the m-line %q has the format %q, it must be a payload type from 0 to 127", mid, f)
		}
		if _, ok := codecs[uint8(pt)]; !ok && pt != 0 {
			return bad("the m-line %q has no a=rtpmap for the payload type %d", mid, pt)
		}
	}
	for _, a := range m.Attributes {
		if a.Key != sdp.AttrKeyExtMap {
			continue
		}
		var e sdp.ExtMap
		if err := e.Unmarshal(a.String()); err != nil || e.URI == nil || e.Value < 1 || e.Value > 255 {
			return bad("the m-line %q has an a=extmap that cannot be read: %q", mid, a.Value)
		}
	}
	return nil
}

// announced checks the publications by themselves and returns their ids by mid.
func announced(named []Announcement) (map[string]string, *Refusal) {
	byMID := make(map[string]string, len(named))
	byID := make(map[string]bool, len(named))
	for _, a := range named {
		if !identifier(a.ID) {
			return nil, bad("the publication id %q must be 1 to %d of A-Z a-z 0-9 _ -", a.ID, maxID)
		}
		if byID[a.ID] || byMID[a.MID] != "" {
			return nil, bad("publications names %q or its mid %q twice", a.ID, a.MID)
		}
		byMID[a.MID], byID[a.ID] = a.ID, true
	}
	return byMID, nil
}

func identifier(s string) bool {
	for _, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= maxID
}

// token of RFC 8866 §9, loosely: visible ASCII.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) <= maxMID
}
