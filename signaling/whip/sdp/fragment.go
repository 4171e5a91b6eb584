package sdp

import (
	"fmt"
	"strings"
)

// maxCandidates of one fragment; a browser with many interfaces has about twenty.
const maxCandidates = 64

// Fragment is what follows an offer: candidates, or the credentials of an ICE restart (RFC 8840 §9, RFC 9725 §4.3).
type Fragment struct {
	Ufrag, Pwd string // "" when left out
	Candidates []Candidate
}

// Candidate of an m-line, without "a=".
type Candidate struct{ MID, Candidate string }

// ReadFragment reads a fragment. Lines that it does not know are passed over. The error wraps ErrMalformed.
func ReadFragment(text string) (Fragment, error) {
	var f Fragment
	var mid string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' || line[0] < 'a' || line[0] > 'z' {
			return Fragment{}, malformed("%.80q is not a line of SDP", line)
		}
		if line[0] == 'm' {
			mid = ""
		}
		if line[0] != 'a' {
			continue
		}
		switch name, value, _ := strings.Cut(line[2:], ":"); name {
		case "mid":
			mid = value
		case "ice-ufrag":
			f.Ufrag = first(f.Ufrag, value)
		case "ice-pwd":
			f.Pwd = first(f.Pwd, value)
		case "candidate":
			f.Candidates = append(f.Candidates, Candidate{MID: mid, Candidate: "candidate:" + value})
		}
		if len(f.Candidates) > maxCandidates {
			return Fragment{}, malformed("there are more than %d candidates", maxCandidates)
		}
	}
	if f.Ufrag == "" && f.Pwd == "" {
		return f, nil
	}
	if err := credentials(f.Ufrag, f.Pwd); err != nil {
		return Fragment{}, err
	}
	return f, nil
}

// Fragment is what of an answer a client needs for a restart.
func (d Description) Fragment() string {
	var b strings.Builder
	if d.lite {
		b.WriteString("a=ice-lite\r\n")
	}
	fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\n", d.Ufrag, d.Pwd)
	if len(d.Candidates) == 0 {
		return b.String()
	}
	kind := "audio"
	for _, m := range d.Media {
		if m.MID == d.tagged {
			kind = m.Kind
		}
	}
	// The m-line only says whose the candidates are; RFC 8840 §9 gives it this form.
	fmt.Fprintf(&b, "m=%s 9 RTP/AVP 0\r\na=mid:%s\r\n", kind, d.tagged)
	for _, c := range d.Candidates {
		b.WriteString("a=" + c + "\r\n")
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}
