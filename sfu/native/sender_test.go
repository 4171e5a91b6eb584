package native

import (
	"net"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/turnout-rtc/turnout/sfu/forward"
	"github.com/turnout-rtc/turnout/sfu/link"
	"github.com/turnout-rtc/turnout/sfu/report"
)

// timed is a sender whose packets are sent at a time of choice.
type timed struct {
	*Sender
	*link.Outlet
	sink  *net.UDPConn
	cable *cable
	begin time.Time
	seq   uint16
}

func newTimed(t *testing.T) *timed {
	s, out, sink, c := ends(t, slotMedia())
	return &timed{Sender: s, Outlet: out, sink: sink, cable: c, begin: out.Now}
}

// frame sends one at a time since the begin, captured some time ago; 0 for unknown.
func (s *timed) frame(t *testing.T, at, ago time.Duration, begins bool) {
	t.Helper()
	s.Now = s.begin.Add(at)
	o := &forward.Out{PayloadType: 96, Seq: s.seq, Timestamp: 5000 + uint32(at/time.Millisecond)*90, Payload: []byte{1}, Begins: begins}
	if ago > 0 {
		o.Captured = report.ToNTP(s.Now.Add(-ago))
	}
	s.seq++
	if err := sendOne(s.Sender, o, s.Outlet); err != nil {
		t.Fatal(err)
	}
}

// reported are the sender reports among what has been sent.
func (s *timed) reported(t *testing.T, n int) (all []*rtcp.SenderReport) {
	t.Helper()
	s.Flush()
	for range n {
		all = append(all, control(t, s.sink, s.cable)[0].(*rtcp.SenderReport))
	}
	return all
}

// at is when a report was made, since the begin.
func (s *timed) at(r *rtcp.SenderReport) time.Duration {
	return report.NTP(r.NTPTime).Sub(report.ToNTP(s.begin)).Round(time.Millisecond)
}

func TestTimesOfAnotherSourceAreToldAtOnce(t *testing.T) {
	s := newTimed(t)
	const ms = time.Millisecond
	s.frame(t, 0, 50*ms, true)
	s.frame(t, 300*ms, 50*ms, false)
	s.frame(t, 400*ms, 120*ms, true)
	s.frame(t, 433*ms, 120*ms, false)
	s.frame(t, 500*ms, 50*ms, true) // too soon
	s.frame(t, 533*ms, 50*ms, false)
	s.frame(t, 620*ms, 50*ms, false)
	s.frame(t, 1000*ms, 50*ms, false)
	s.frame(t, 1620*ms, 50*ms, false)
	for i, want := range []struct{ at, ago time.Duration }{{0, 50 * ms}, {400 * ms, 120 * ms}, {620 * ms, 50 * ms}, {1620 * ms, 50 * ms}} {
		r := s.reported(t, 1)[0]
		rtp := 5000 + uint32((want.at+want.ago)/ms)*90
		if off := int32(r.RTPTime - rtp); s.at(r) != want.at || off < -2 || off > 2 {
			t.Errorf("report %d: after %v, off by %d ticks; not after %v", i, s.at(r), off, want.at)
		}
	}
}

// A publisher's first sender report may come long after its first packet.
func TestTimesAreToldAsSoonAsTheyAreKnown(t *testing.T) {
	s := newTimed(t)
	const ms = time.Millisecond
	s.frame(t, 0, 0, true)
	s.frame(t, 100*ms, 0, false)
	s.frame(t, 250*ms, 80*ms, false)
	s.frame(t, 500*ms, 80*ms, false)
	s.frame(t, 1250*ms, 80*ms, false)
	for i, want := range []time.Duration{0, 250 * ms, 1250 * ms} {
		if r := s.reported(t, 1)[0]; s.at(r) != want {
			t.Errorf("report %d came after %v, not %v", i, s.at(r), want)
		}
	}
}

// Where the next source is quicker on its way, its times lie before those that were told. A receiver would take them for a jump.
func TestTimesThatWouldGoBackAreToldLater(t *testing.T) {
	s := newTimed(t)
	const ms = time.Millisecond
	s.frame(t, 0, 400*ms, true)
	for at := 210 * ms; at < 800*ms; at += 30 * ms {
		s.frame(t, at, 10*ms, at == 210*ms)
	}
	all := s.reported(t, 2)
	if at := s.at(all[1]); at < 390*ms || at > 600*ms || int32(all[1].RTPTime-all[0].RTPTime) < 0 {
		t.Errorf("after %v, %d ticks on", at, int32(all[1].RTPTime-all[0].RTPTime))
	}
}
