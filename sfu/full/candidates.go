package full

import (
	"fmt"
	"strings"

	"github.com/turnout-rtc/turnout/sfu/link"
)

// Parts of a candidate's priority (RFC 8445 §5.1.2): hosts have type preference 126, one component has 256 - 1.
const (
	hostPreference = 126 << 24
	udpPreference  = 65535
	tcpPreference  = 8191 // below every address over UDP, RFC 6544 §4.2
	component      = 255
)

// withCandidates replaces the candidates of an answer by host candidates for addrs. The sockets stay what they are: what a
// client sends to a public address reaches one of them, and ICE goes by where packets come from.
func withCandidates(answer string, addrs []link.Address) string {
	var b strings.Builder
	replaced := false
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "m=") {
			replaced = false
		}
		if !strings.HasPrefix(line, "a=candidate:") {
			b.WriteString(line)
			continue
		}
		if !replaced {
			replaced = true
			writeCandidates(&b, addrs)
		}
	}
	return b.String()
}

func writeCandidates(b *strings.Builder, addrs []link.Address) {
	for i, a := range addrs {
		preference, suffix := udpPreference, ""
		if a.Protocol == "tcp" {
			preference, suffix = tcpPreference, " tcptype passive"
		}
		priority := hostPreference + (preference-i)<<8 + component
		fmt.Fprintf(b, "a=candidate:%d 1 %s %d %s %d typ host%s\r\n",
			i+1, a.Protocol, priority, a.Addr.Addr(), a.Addr.Port(), suffix)
	}
}
