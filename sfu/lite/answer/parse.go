package answer

import (
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

// Offer is what the client's text says.
type Offer struct {
	ICE          ICE
	Fingerprints []Fingerprint

	setup    string // actpass, active or passive (RFC 5763 §5)
	sections []section
}

// Values of a=setup.
const (
	actpass = "actpass"
	active  = "active"
	passive = "passive"
)

// attributes looks values up on an m-line first, then on the session (RFC 8866 §5.13).
type attributes struct{ media, session []sdp.Attribute }

func (a attributes) get(key string) (string, bool) {
	for _, list := range [][]sdp.Attribute{a.media, a.session} {
		for i := range list {
			if list[i].Key == key {
				return strings.TrimSpace(list[i].Value), true
			}
		}
	}
	return "", false
}

// Parse reads an offer. The error is an *Error.
func Parse(text string, l Limits) (*Offer, error) {
	l = l.withDefaults()
	if len(text) > l.Bytes {
		return nil, fail(Limit, "the offer has %d bytes, %d are allowed: offer fewer m-lines or codecs", len(text), l.Bytes)
	}
	if n := strings.Count(text, "\nm="); n > l.Media {
		return nil, fail(Limit, "the offer has %d m-lines, %d are allowed: reuse transceivers", n, l.Media)
	}
	var sd sdp.SessionDescription
	if err := sd.UnmarshalString(text); err != nil {
		return nil, fail(Syntax, "the offer is not SDP (%v): send localDescription.sdp unchanged", err)
	}
	if len(sd.MediaDescriptions) == 0 {
		return nil, fail(Nothing, "the offer has no m-line: add a transceiver or a data channel first")
	}
	o := &Offer{}
	for _, m := range sd.MediaDescriptions {
		s, err := parseSection(m, sd.Attributes, l)
		if err != nil {
			return nil, err
		}
		o.sections = append(o.sections, s)
	}
	if err := o.bundle(sd.Attributes); err != nil {
		return nil, err
	}
	return o, o.transport(&sd)
}

// bundle refuses what is not in the one BUNDLE group (RFC 9143).
func (o *Offer) bundle(session []sdp.Attribute) error {
	var group []string
	for _, a := range session {
		if f := strings.Fields(a.Value); a.Key == "group" && len(f) > 0 && f[0] == "BUNDLE" {
			if group != nil {
				return fail(Bundle, "the offer has two BUNDLE groups: use bundlePolicy max-bundle")
			}
			group = f
		}
	}
	if group == nil {
		if len(o.sections) > 1 {
			return fail(Bundle, "the offer has %d m-lines and no BUNDLE group: use bundlePolicy max-bundle", len(o.sections))
		}
		return nil
	}
	seen := map[string]bool{}
	for i := range o.sections {
		s := &o.sections[i]
		if s.refused {
			continue
		}
		if seen[s.mid] || !validToken(s.mid) {
			return fail(Syntax, "the mid %q of m-line %d is missing, malformed or there twice", s.mid, i)
		}
		seen[s.mid] = true
		s.refused = !slices.Contains(group[1:], s.mid)
	}
	return nil
}

// transport takes ICE and DTLS from the first m-line that is used: all others share it.
func (o *Offer) transport(sd *sdp.SessionDescription) error {
	i := slices.IndexFunc(o.sections, func(s section) bool { return !s.refused })
	if i < 0 {
		return fail(Nothing, "all m-lines of the offer are refused or outside the BUNDLE group")
	}
	at := attributes{sd.MediaDescriptions[i].Attributes, sd.Attributes}
	o.ICE.Ufrag, _ = at.get("ice-ufrag")
	o.ICE.Pwd, _ = at.get("ice-pwd")
	if !validICE(o.ICE.Ufrag, 4) || !validICE(o.ICE.Pwd, 22) {
		return fail(Credentials, "the offer has no usable ice-ufrag and ice-pwd (RFC 8839 §5.4): send localDescription.sdp unchanged")
	}
	var ok bool
	if o.setup, ok = at.get("setup"); !ok {
		o.setup = actpass
	}
	if o.setup != actpass && o.setup != active && o.setup != passive {
		return fail(Setup, "the offer says a=setup:%s: offer actpass", o.setup)
	}
	for _, list := range [][]sdp.Attribute{at.media, at.session} {
		for _, a := range list {
			if f, ok := parseFingerprint(a); ok && len(o.Fingerprints) < 8 {
				o.Fingerprints = append(o.Fingerprints, f)
			}
		}
		if len(o.Fingerprints) > 0 {
			return nil
		}
	}
	return fail(Credentials, "the offer has no a=fingerprint with sha-256, sha-384 or sha-512")
}

func parseFingerprint(a sdp.Attribute) (Fingerprint, bool) {
	hash, value, _ := strings.Cut(strings.TrimSpace(a.Value), " ")
	hash, value = strings.ToLower(hash), strings.ToUpper(value)
	size := map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}[hash]
	ok := a.Key == "fingerprint" && size > 0 && len(value) == 3*size-1 && strings.Trim(value, "0123456789ABCDEF:") == ""
	return Fingerprint{hash, value}, ok
}

// validICE checks the ice-char of RFC 8839 §5.4.
func validICE(s string, least int) bool {
	return len(s) >= least && len(s) <= 256 && strings.IndexFunc(s, func(r rune) bool {
		return !alphanumeric(r) && r != '+' && r != '/'
	}) < 0
}

// validToken checks what names an m-line or a layer: short enough for an SDES item (RFC 7941) and harmless in SDP.
func validToken(s string) bool {
	return s != "" && len(s) <= 32 && strings.IndexFunc(s, func(r rune) bool {
		return !alphanumeric(r) && !strings.ContainsRune("-_.!#$%&'*+^`{|}~", r)
	}) < 0
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
