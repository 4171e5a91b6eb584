package answer

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// parseCodecs reads the payload types of an m-line. What is malformed is left out, as if it had not been offered.
func parseCodecs(formats []string, list []sdp.Attribute) []Codec {
	var all []Codec
	at := map[uint8]int{}
	for _, f := range formats {
		pt, err := strconv.ParseUint(f, 10, 7)
		if _, twice := at[uint8(pt)]; err == nil && !twice {
			at[uint8(pt)] = len(all)
			all = append(all, Codec{PT: uint8(pt)})
		}
	}
	for _, a := range list {
		first, rest, _ := strings.Cut(strings.TrimSpace(a.Value), " ")
		if a.Key == "rtcp-fb" && first == "*" {
			for i := range all {
				all[i].addFeedback(rest)
			}
			continue
		}
		pt, err := strconv.ParseUint(first, 10, 7)
		i, ok := at[uint8(pt)]
		if err != nil || !ok {
			continue
		}
		switch c := &all[i]; a.Key {
		case "rtpmap":
			c.rtpmap(rest)
		case "fmtp":
			c.Params = strings.TrimSpace(rest)
		case "rtcp-fb":
			c.addFeedback(rest)
		}
	}
	return slices.DeleteFunc(all, func(c Codec) bool { return c.Name == "" })
}

// maxFeedback is how many kinds of feedback are read of one codec; browsers offer five. A wildcard is for up to 128 codecs, so
// without a limit an offer would become a hundred times its size.
const maxFeedback = 32

func (c *Codec) addFeedback(v string) {
	if len(c.Feedback) < maxFeedback {
		c.Feedback = append(c.Feedback, strings.TrimSpace(v))
	}
}

// rtpmap reads "name/clock" or "name/clock/channels" (RFC 8866 §6.6).
func (c *Codec) rtpmap(v string) {
	f := strings.Split(strings.TrimSpace(v), "/")
	if len(f) < 2 {
		return
	}
	clock, err := strconv.ParseUint(f[1], 10, 31)
	if err != nil || clock == 0 {
		return
	}
	c.Name, c.Clock = f[0], int(clock)
	if len(f) > 2 {
		n, _ := strconv.ParseUint(f[2], 10, 8)
		c.Channels = int(n)
	}
}

// apt is the payload type that an RTX codec repairs (RFC 4588 §8.6).
func (c *Codec) apt() (uint8, bool) {
	for _, p := range strings.Split(c.Params, ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "apt="); ok {
			n, err := strconv.ParseUint(v, 10, 7)
			return uint8(n), err == nil
		}
	}
	return 0, false
}

// acceptCodecs keeps the codecs whose names are allowed, with their retransmissions and the feedback that is allowed.
func acceptCodecs(offered []Codec, names, feedback []string) []Codec {
	var out []Codec
	rtx := retransmissions(offered)
	for _, c := range offered {
		if !slices.Contains(names, strings.ToLower(c.Name)) || strings.EqualFold(c.Name, "red") && !redOf(c, offered, names) {
			continue
		}
		c.Feedback = slices.DeleteFunc(slices.Clone(c.Feedback), func(f string) bool { return !slices.Contains(feedback, f) })
		slices.Sort(c.Feedback)
		c.Feedback = slices.Compact(c.Feedback)
		if r, ok := rtx[c.PT]; ok && r.Clock == c.Clock {
			c.RTX = r.PT
		}
		out = append(out, c)
	}
	return out
}

// retransmissions are the RTX codecs by the payload type that they repair; of two the first counts.
func retransmissions(offered []Codec) map[uint8]Codec {
	all := make(map[uint8]Codec)
	for _, c := range offered {
		if !strings.EqualFold(c.Name, "rtx") {
			continue
		}
		if pt, ok := c.apt(); ok && all[pt].Name == "" {
			all[pt] = c
		}
	}
	return all
}

// redOf says whether all blocks of an audio RED codec (RFC 2198: "111/111") are of one that is allowed.
func redOf(red Codec, offered []Codec, names []string) bool {
	for _, block := range strings.Split(red.Params, "/") {
		pt, err := strconv.ParseUint(block, 10, 7)
		i := slices.IndexFunc(offered, func(c Codec) bool { return uint64(c.PT) == pt })
		if err != nil || i < 0 || offered[i].PT == red.PT || !slices.Contains(names, strings.ToLower(offered[i].Name)) {
			return false
		}
	}
	return true
}

// parseExtensions reads a=extmap (RFC 8285 §5). Of two with one ID the first counts.
func parseExtensions(list []sdp.Attribute) []Extension {
	var all []Extension
	for _, a := range list {
		f := strings.Fields(a.Value)
		if a.Key != "extmap" || len(f) < 2 {
			continue
		}
		id, direction, _ := strings.Cut(f[0], "/")
		n, err := strconv.ParseUint(id, 10, 8)
		if err != nil || n == 0 || slices.ContainsFunc(all, func(e Extension) bool { return e.ID == uint8(n) || e.URI == f[1] }) {
			continue
		}
		all = append(all, Extension{ID: uint8(n), URI: f[1], direction: direction})
	}
	return all
}

// maxOneByteID is the largest ID that fits the one-byte header; more needs the peer's consent to mix (RFC 8285 §4.2, §6).
const maxOneByteID = 14

// acceptExtensions keeps those allowed. The direction is inverted: "the client sends it" is "we receive it". Firefox offers
// rid as sendonly, and sends none if it reads sendonly back.
func acceptExtensions(offered []Extension, uris []string, mixed bool) []Extension {
	invert := map[string]string{"": "", "sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly"}
	var out []Extension
	for _, e := range offered {
		direction, ok := invert[e.direction]
		if !ok || !slices.Contains(uris, e.URI) || e.ID > maxOneByteID && !mixed || e.ID == 15 {
			continue
		}
		e.direction = direction
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Extension) int { return int(a.ID) - int(b.ID) })
	return out
}

// unambiguous leaves out extensions whose numbers mean something else on an earlier m-line. RFC 9143 §12 forbids to offer such,
// but aiortc does; and as it keeps one table for all m-lines, it breaks off when it is sent what it has agreed to.
func (d *Description) unambiguous(list []Extension) []Extension {
	return slices.DeleteFunc(list, func(e Extension) bool {
		return slices.ContainsFunc(d.Media, func(m Media) bool {
			return slices.ContainsFunc(m.Extensions, func(earlier Extension) bool { return earlier.ID == e.ID && earlier.URI != e.URI })
		})
	})
}
