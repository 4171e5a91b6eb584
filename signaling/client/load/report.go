package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Times are of a distribution, in milliseconds.
type Times struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Report is the outcome of a load.
type Report struct {
	Participants int     `json:"participants"`
	Joined       int     `json:"joined"`
	Failed       int     `json:"failed"` // did not join, or got no media in time
	Lost         int     `json:"lost"`   // joined, and were gone before the end
	Seconds      float64 `json:"seconds"`

	Join        Times `json:"joinMs"`        // until in the room and connected
	FirstPacket Times `json:"firstPacketMs"` // until the first packet of media

	Packets      uint64  `json:"packets"`
	Missing      uint64  `json:"missing"`
	MissingShare float64 `json:"missingShare"`
	BitsPerS     float64 `json:"bitsPerSecond"`
	Media        Times   `json:"mediaMs"` // from the publisher's send to the receiver

	Sent      uint64 `json:"messagesSent"`
	Expected  uint64 `json:"messagesExpected"`
	Delivered uint64 `json:"messagesDelivered"`
	Message   Times  `json:"messageMs"`

	Errors map[string]int `json:"errors,omitempty"`

	Own        float64 `json:"ownShare"` // of its processors that the program used
	Late       Times   `json:"lateMs"`   // how late it did what was due
	Bottleneck string  `json:"bottleneck,omitempty"`
}

func times(h *histogram) Times {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Times{Count: h.count, P50: ms(h.quantile(0.5)), P95: ms(h.quantile(0.95)), P99: ms(h.quantile(0.99)), Max: ms(h.most)}
}

func (r *run) outcome() Report {
	t := r.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	r.late.mu.Lock()
	defer r.late.mu.Unlock()
	o := Report{
		Participants: r.plan.participants(), Joined: int(t.joined.Load()), Failed: int(t.failed.Load()), Lost: int(t.lost.Load()),
		Seconds: r.measured.Seconds(), Join: times(&t.joins), FirstPacket: times(&t.firsts),
		Packets: t.packets.Load(), Missing: t.gaps.Load(), Media: times(&t.media),
		Sent: t.sent.Load(), Expected: t.expected.Load(), Delivered: t.delivered.Load(), Message: times(&t.messages),
		Errors: t.errors, Own: r.busy, Late: times(&r.late.times),
	}
	if sum := o.Packets + o.Missing; sum > 0 {
		o.MissingShare = float64(o.Missing) / float64(sum)
	}
	if o.Seconds > 0 {
		o.BitsPerS = 8 * float64(t.bytes.Load()) / o.Seconds
	}
	o.Bottleneck = bottleneck(o.Own, o.Late)
	return o
}

// What makes the figures those of this program rather than the server's.
const (
	tooBusy = 0.85 // of its processors
	tooLate = 20.0 // ms, at the 99th percentile: an audio packet's time
)

// bottleneck says why the figures are not the server's, or "".
func bottleneck(share float64, late Times) string {
	switch {
	case share > tooBusy:
		return fmt.Sprintf("the load tester used %.0f %% of its processors: times and losses are partly its own. Spread the load over several machines.", 100*share)
	case late.Count > 0 && late.P99 > tooLate:
		return fmt.Sprintf("the load tester sent %.0f ms late (99th percentile): this machine was busy with something else. Use another, or fewer participants.", late.P99)
	}
	return ""
}

// Print writes the report for people.
func (o Report) Print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	row := func(name string, t Times) {
		if t.Count > 0 {
			fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t%.1f\n", name, t.Count, t.P50, t.P95, t.P99, t.Max)
		}
	}
	fmt.Fprintln(w, "MILLISECONDS\tCOUNT\tP50\tP95\tP99\tMAX")
	row("joined", o.Join)
	row("first packet", o.FirstPacket)
	row("media, end to end", o.Media)
	row("message, end to end", o.Message)
	row("sent late by", o.Late)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(to, "\nparticipants  %d of %d joined, %d failed, %d lost\n", o.Joined, o.Participants, o.Failed, o.Lost)
	fmt.Fprintf(to, "media         %d packets in %.0f s, %.1f Mbit/s, %d missing (%.3f %%)\n", o.Packets, o.Seconds, o.BitsPerS/1e6, o.Missing, 100*o.MissingShare)
	if o.Sent > 0 {
		fmt.Fprintf(to, "messages      %d sent, %d of %d delivered\n", o.Sent, o.Delivered, o.Expected)
	}
	fmt.Fprintf(to, "load tester   %.0f %% of its processors\n", 100*o.Own)
	for _, what := range slices.Sorted(maps.Keys(o.Errors)) {
		fmt.Fprintf(to, "error         %d × %s\n", o.Errors[what], what)
	}
	if o.Bottleneck != "" {
		fmt.Fprintf(to, "\nBOTTLENECK: %s\n", o.Bottleneck)
	}
	return nil
}
