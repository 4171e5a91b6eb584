package sdp

import (
	"fmt"
	"slices"
	"strings"
)

// Published lists the m-lines of an offer on which something is sent, at most one of a kind. The error wraps one of
// this package's.
func (d Description) Published() ([]Media, error) {
	return d.pick(Media.Sends, "sends: make an m-line sendonly")
}

// Played lists those on which something is received, likewise.
func (d Description) Played() ([]Media, error) {
	return d.pick(Media.Receives, "receives: make an m-line recvonly")
}

func (d Description) pick(fits func(Media) bool, wanted string) ([]Media, error) {
	var all []Media
	for _, m := range d.Media {
		if m.Rejected || !fits(m) {
			continue
		}
		if slices.ContainsFunc(all, func(other Media) bool { return other.Kind == m.Kind }) {
			return nil, fmt.Errorf("%w: the offer has two m-lines for %s, there may be one", ErrTooMany, m.Kind)
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: the offer has no audio and no video that it %s", ErrRole, wanted)
	}
	return all, nil
}

// Refused says which m-line of an offer its answer rejects; "" is none.
func Refused(offered []Media, answer Description) string {
	for _, m := range offered {
		i := slices.IndexFunc(answer.Media, func(a Media) bool { return a.MID == m.MID })
		if i < 0 || answer.Media[i].Rejected {
			return m.MID
		}
	}
	return ""
}

// ReceiveOnly is the offer with recvonly in place of sendrecv: a player sends nothing, although some say they might.
func ReceiveOnly(offer string) string {
	var b strings.Builder
	b.Grow(len(offer) + 64)
	head, sections := split(offer)
	session := replaceDirection(head)
	b.WriteString(session)
	hasDirection := strings.Contains(session, "a=recvonly") || strings.Contains(session, "a=sendonly") || strings.Contains(session, "a=inactive")
	for _, s := range sections {
		changed := replaceDirection(s)
		b.WriteString(changed)
		media := strings.HasPrefix(s, "m=audio") || strings.HasPrefix(s, "m=video")
		if media && !hasDirection && !directed(changed) {
			b.WriteString("a=recvonly\r\n")
		}
	}
	return b.String()
}

// split cuts a description into what stands before its m-lines and one part for each of them.
func split(text string) (head string, sections []string) {
	var b strings.Builder
	parts := []string{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "m=") {
			parts = append(parts, b.String())
			b.Reset()
		}
		b.WriteString(strings.TrimRight(line, "\r\n") + "\r\n")
	}
	parts = append(parts, b.String())
	return parts[0], parts[1:]
}

func replaceDirection(s string) string {
	return strings.ReplaceAll(s, "\r\na=sendrecv\r\n", "\r\na=recvonly\r\n")
}

func directed(s string) bool {
	for _, d := range []string{"recvonly", "sendonly", "inactive"} {
		if strings.Contains(s, "\r\na="+d+"\r\n") {
			return true
		}
	}
	return false
}

// Restarted is the offer once more with other ICE credentials and without candidates.
func Restarted(offer string, f Fragment) string {
	var b strings.Builder
	b.Grow(len(offer))
	for line := range strings.Lines(offer) {
		switch {
		case strings.HasPrefix(line, "a=candidate:"), strings.HasPrefix(line, "a=end-of-candidates"):
			continue
		case strings.HasPrefix(line, "a=ice-ufrag:"):
			line = "a=ice-ufrag:" + f.Ufrag + "\r\n"
		case strings.HasPrefix(line, "a=ice-pwd:"):
			line = "a=ice-pwd:" + f.Pwd + "\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}
