package whip

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

func TestIfMatchNamesATagAsHTTPSays(t *testing.T) {
	for _, c := range []struct {
		lines []string
		names bool
	}{
		{[]string{`"tag"`}, true}, {[]string{`*`}, true}, {[]string{`"*"`}, true}, {[]string{`"a" , "tag"`}, true}, {[]string{`"a"`, `"tag"`}, true},
		{[]string{`tag`}, false}, {[]string{`W/"tag"`}, false}, {[]string{``}, false}, {[]string{`"ta", "g"`}, false}, {nil, false},
	} {
		if got := names(c.lines, `"tag"`); got != c.names {
			t.Errorf("%q: %v", c.lines, got)
		}
	}
}

func TestICEServersAreLinks(t *testing.T) {
	w := httptest.NewRecorder()
	link(w, []protocol.ICEServer{
		{URLs: protocol.List[string]{"stun:192.0.2.1:3478"}},
		{URLs: protocol.List[string]{"turn:192.0.2.1:3478?transport=udp", "turns:example.com:443?transport=tcp"}, Username: `a"d\a`, Credential: "s+/="},
	})
	want := []string{
		`<stun:192.0.2.1:3478>; rel="ice-server"`,
		`<turn:192.0.2.1:3478?transport=udp>; rel="ice-server"; username="a\"d\\a"; credential="s+/="; credential-type="password"`,
		`<turns:example.com:443?transport=tcp>; rel="ice-server"; username="a\"d\\a"; credential="s+/="; credential-type="password"`,
	}
	if got := w.Header().Values("Link"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestConfigSaysWhatIsTooSmall(t *testing.T) {
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{{MaxSessions: -1}, {BodyBytes: 100}, {Rate: -1}, {ConnectTimeout: time.Microsecond}} {
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
