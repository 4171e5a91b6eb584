package link

import (
	"slices"
	"strings"
)

// SameStream says whether a decoder for one codec decodes the other: packetization must agree for H.264, the profile for VP9.
func SameStream(a, b Codec) bool {
	if !strings.EqualFold(a.Mime, b.Mime) {
		return false
	}
	switch strings.ToLower(a.Mime) {
	case "video/h264":
		return orZero(Parameter(a.Fmtp, "packetization-mode")) == orZero(Parameter(b.Fmtp, "packetization-mode"))
	case "video/vp9":
		return orZero(Parameter(a.Fmtp, "profile-id")) == orZero(Parameter(b.Fmtp, "profile-id"))
	}
	return true
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
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
