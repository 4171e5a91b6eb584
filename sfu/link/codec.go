package link

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// SameStream says whether a decoder for one codec decodes the other: packetization must agree for H.264, the profile for VP9,
// AV1 and H.265.
func SameStream(a, b Codec) bool {
	if !strings.EqualFold(a.Mime, b.Mime) {
		return false
	}
	switch strings.ToLower(a.Mime) {
	case "video/h264":
		return same(a, b, "packetization-mode", "0")
	case "video/vp9":
		return same(a, b, "profile-id", "0")
	case "video/av1":
		return same(a, b, "profile", "0")
	case "video/h265": // RFC 7798 §7.1
		return same(a, b, "profile-id", "1") && same(a, b, "tier-flag", "0") && same(a, b, "tx-mode", "SRST")
	}
	return true
}

// same compares a parameter, which has a value where it is left out.
func same(a, b Codec, name, otherwise string) bool {
	return strings.EqualFold(cmp.Or(Parameter(a.Fmtp, name), otherwise), cmp.Or(Parameter(b.Fmtp, name), otherwise))
}

// SameParameters compares format parameters (a=fmtp) whatever their order and case.
func SameParameters(a, b string) bool { return slices.Equal(parameters(a), parameters(b)) }

func parameters(fmtp string) []string {
	all := strings.Split(strings.ToLower(strings.ReplaceAll(fmtp, " ", "")), ";")
	slices.Sort(all)
	return all
}

// Parameter is the value of a format parameter, "" for none.
func Parameter(fmtp, name string) string {
	for p := range strings.SplitSeq(fmtp, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(p), "="); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// PrimaryOf is the payload type of the newest block in packets of RED, 0 for what is no RED (RFC 2198 §5: "111/111").
func PrimaryOf(red Codec) uint8 {
	list := strings.Split(red.Fmtp, "/")
	n, err := strconv.ParseUint(strings.TrimSpace(list[len(list)-1]), 10, 7)
	if err != nil {
		return 0
	}
	return uint8(n)
}
