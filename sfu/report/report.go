// Package report does the arithmetic of RTCP sender and receiver reports (RFC 3550 §6.4).
//
// Its nouns: a Clock relates the timestamps of one incoming stream to its sender's wall clock, and so to those of other streams
// of the same sender. A Capture tells when its packets were captured. A Sender makes the reports of an outgoing stream, a Receiver those about an incoming one.
//
// It does no I/O, starts no goroutine and never reads the clock.
package report

import "time"

// NTP is a time of the network time protocol: seconds since 1900 in the upper half, fractions in the lower (RFC 5905 §6).
type NTP uint64

// ntpEpoch is how many seconds the epoch of NTP lies before that of Unix.
const ntpEpoch = 2208988800

// ToNTP converts t.
func ToNTP(t time.Time) NTP {
	seconds := uint64(t.Unix() + ntpEpoch)
	fraction := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return NTP(seconds<<32 | fraction)
}

// Middle is the 32 bits in the middle of t, as reports refer to each other with.
func (t NTP) Middle() uint32 { return uint32(t >> 16) }

// Sub is the time from u to t.
func (t NTP) Sub(u NTP) time.Duration {
	d := int64(t - u)
	seconds, fraction := d>>32, d&0xffffffff
	return time.Duration(seconds)*time.Second + time.Duration(fraction*int64(time.Second)>>32)
}

// Add is the time d after t.
func (t NTP) Add(d time.Duration) NTP {
	seconds := d / time.Second
	fraction := int64(d%time.Second) << 32 / int64(time.Second)
	return NTP(int64(t) + int64(seconds)<<32 + fraction)
}

// ticks of a clock of so many Hz in d.
func ticks(d time.Duration, rate uint32) int64 {
	return int64(d/time.Second)*int64(rate) + int64(d%time.Second)*int64(rate)/int64(time.Second)
}

// duration of so many ticks.
func duration(n int64, rate uint32) time.Duration {
	r := int64(rate)
	return time.Duration(n/r)*time.Second + time.Duration(n%r)*time.Second/time.Duration(r)
}

// Clock is what a stream's sender reports say about its timestamps. It is made with its Rate; it knows nothing before the first
// report.
type Clock struct {
	Rate uint32 // Hz

	ntp   NTP
	rtp   uint32
	known bool
}

// Report takes the times of a sender report.
func (c *Clock) Report(ntp NTP, rtp uint32) { c.ntp, c.rtp, c.known = ntp, rtp, true }

// Known says whether there was a report.
func (c *Clock) Known() bool { return c.known }

// Time is the sender's time at a timestamp.
func (c *Clock) Time(rtp uint32) NTP {
	return c.ntp.Add(duration(int64(int32(rtp-c.rtp)), c.Rate))
}

// Timestamp is the timestamp at a time of the sender's.
func (c *Clock) Timestamp(t NTP) uint32 {
	half := duration(1, c.Rate) / 2
	d := t.Sub(c.ntp)
	if d < 0 {
		half = -half
	}
	return c.rtp + uint32(ticks(d+half, c.Rate)) // to the nearest
}

// Translate turns a timestamp of other, a stream of the same sender, into that of c for the same moment. ok is false while one
// of them has had no report: then nobody knows.
func (c *Clock) Translate(rtp uint32, other *Clock) (translated uint32, ok bool) {
	if !c.known || !other.known {
		return 0, false
	}
	return c.Timestamp(other.Time(rtp)), true
}

// Sender counts an outgoing stream for its reports. The zero value has sent nothing.
type Sender struct {
	Packets, Bytes uint32 // payload bytes, as RFC 3550 §6.4.1 counts them

	rtp      uint32 // of the newest frame
	at       time.Time
	captured NTP // 0 for unknown
	sent     bool
	last     SenderReport
}

// SenderReport is the body of a report, but for its SSRC.
type SenderReport struct {
	NTP            NTP
	RTP            uint32
	Packets, Bytes uint32
}

// A frame is captured before it is sent. Reports of a publisher that say something else are not believed.
const (
	maxCaptureAge  = 10 * time.Second
	maxCaptureSkew = 500 * time.Millisecond
)

// Sent counts a packet of the stream, not a retransmission. captured is when its frame was captured, by our clock, and 0 for
// unknown: then it is taken to have been captured now.
func (s *Sender) Sent(now time.Time, captured NTP, rtp uint32, payload int) {
	s.Packets++
	s.Bytes += uint32(payload)
	// The first packet of a frame tells its time best; what is late tells nothing.
	if !s.sent || int32(rtp-s.rtp) > 0 {
		s.rtp, s.at, s.captured, s.sent = rtp, now, captured, true
	}
}

// Report makes a report for now: by our clock, and what the timestamp would be of a frame captured now. So streams of one
// publisher can be played in sync, whatever way they came. ok is false when nothing was sent yet, or when a time would go back
// behind the last report, which a receiver would take for a jump.
func (s *Sender) Report(now time.Time, rate uint32) (r SenderReport, ok bool) {
	r = SenderReport{NTP: ToNTP(now), Packets: s.Packets, Bytes: s.Bytes}
	r.RTP = s.rtp + uint32(ticks(s.age(now), rate))
	if !s.sent || s.last.NTP != 0 && (r.NTP <= s.last.NTP || int32(r.RTP-s.last.RTP) < 0) {
		return SenderReport{}, false
	}
	s.last = r
	return r, true
}

// age of the newest frame.
func (s *Sender) age(now time.Time) time.Duration {
	if s.captured != 0 {
		if before := ToNTP(s.at).Sub(s.captured); before > -maxCaptureSkew && before < maxCaptureAge {
			return before + now.Sub(s.at)
		}
	}
	return now.Sub(s.at)
}
