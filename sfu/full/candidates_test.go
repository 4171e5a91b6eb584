package full

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/turnout-rtc/turnout/sfu/link"
)

func TestCandidatesAreReplacedInEverySection(t *testing.T) {
	const answer = "v=0\r\nm=audio 9\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=candidate:2 1 udp 1 10.0.0.2 5 typ host\r\n" +
		"a=end-of-candidates\r\nm=video 9\r\na=candidate:1 1 udp 1 10.0.0.1 5 typ host\r\na=mid:1\r\n"
	got := withCandidates(answer, []link.Address{
		{Protocol: "udp", Addr: netip.MustParseAddrPort("203.0.113.7:7882")},
		{Protocol: "tcp", Addr: netip.MustParseAddrPort("203.0.113.7:7882")},
	})
	const candidates = "a=candidate:1 1 udp 2130706431 203.0.113.7 7882 typ host\r\n" +
		"a=candidate:2 1 tcp 2116026111 203.0.113.7 7882 typ host tcptype passive\r\n"
	want := "v=0\r\nm=audio 9\r\n" + candidates + "a=end-of-candidates\r\nm=video 9\r\n" + candidates + "a=mid:1\r\n"
	if got != want {
		t.Errorf("%s", strings.ReplaceAll(got, "\r", ""))
	}
}
