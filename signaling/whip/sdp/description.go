package sdp

import "strings"

// Description is an offer or an answer.
type Description struct {
	Ufrag, Pwd string
	Media      []Media // audio and video
	Candidates []string
	lite       bool
	tagged     string // mid of the first m-line
}

// Media is an m-line.
type Media struct {
	Kind      string // "audio" or "video"
	MID       string
	Direction string // sendrecv, sendonly, recvonly or inactive
	Rejected  bool   // port 0, and not for being bundled
}

// Sends says whether the offerer sends on it.
func (m Media) Sends() bool { return m.Direction == "sendonly" || m.Direction == "sendrecv" }

// Receives says whether the offerer receives on it.
func (m Media) Receives() bool { return m.Direction == "recvonly" || m.Direction == "sendrecv" }

// reader goes through a description line by line.
type reader struct {
	Description
	fingerprint bool
	direction   string // of the session
	section     *section
	sections    []section
}

type section struct {
	Media
	port0, bundleOnly bool
}

// Read reads a description. The error wraps ErrMalformed.
func Read(text string) (Description, error) {
	if !strings.HasPrefix(text, "v=0") {
		return Description{}, malformed("the body does not begin with v=0: send the SDP as it is, not as JSON or base64")
	}
	r := reader{direction: "sendrecv"} // RFC 8866 §6.7
	for line := range strings.Lines(text) {
		if err := r.line(strings.TrimRight(line, "\r\n")); err != nil {
			return Description{}, err
		}
	}
	return r.end()
}

func (r *reader) line(line string) error {
	key, value, _ := strings.Cut(line, "=")
	switch key {
	case "m":
		f := strings.Fields(value)
		if len(f) < 4 {
			return malformed("an m-line has %d fields, it needs 4: %.80q", len(f), line)
		}
		port, _, _ := strings.Cut(f[1], "/")
		r.sections = append(r.sections, section{Media: Media{Kind: f[0]}, port0: port == "0"})
		r.section = &r.sections[len(r.sections)-1]
	case "a":
		name, value, _ := strings.Cut(value, ":")
		r.attribute(name, value)
	}
	return nil
}

func (r *reader) attribute(name, value string) {
	switch name {
	case "ice-ufrag":
		r.Ufrag = first(r.Ufrag, value)
	case "ice-pwd":
		r.Pwd = first(r.Pwd, value)
	case "ice-lite":
		r.lite = true
	case "fingerprint":
		r.fingerprint = true
	case "candidate":
		r.Candidates = append(r.Candidates, "candidate:"+value)
	case "sendrecv", "sendonly", "recvonly", "inactive":
		if r.section == nil {
			r.direction = name
		} else {
			r.section.Direction = first(r.section.Direction, name)
		}
	case "mid":
		if r.section != nil {
			r.section.MID = first(r.section.MID, value)
		}
	case "bundle-only":
		if r.section != nil {
			r.section.bundleOnly = true
		}
	}
}

func first(was, value string) string {
	if was != "" {
		return was
	}
	return value
}

// end checks the whole.
func (r *reader) end() (Description, error) {
	d := r.Description
	if len(r.sections) == 0 {
		return d, malformed("there is no m-line")
	}
	if err := credentials(d.Ufrag, d.Pwd); err != nil {
		return d, err
	}
	if !r.fingerprint {
		return d, malformed("a=fingerprint is missing: media is encrypted with DTLS-SRTP")
	}
	seen := map[string]bool{}
	for i, s := range r.sections {
		if s.MID == "" || seen[s.MID] {
			return d, malformed("m-line %d has no a=mid, or that of another one", i+1)
		}
		seen[s.MID] = true
		if i == 0 {
			d.tagged = s.MID
		}
		s.Direction = first(s.Direction, r.direction)
		s.Rejected = s.port0 && !s.bundleOnly
		if s.Kind == "audio" || s.Kind == "video" {
			d.Media = append(d.Media, s.Media)
		}
	}
	return d, nil
}
