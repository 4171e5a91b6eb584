//go:build linux

package main

import (
	"time"

	"github.com/turnout-rtc/turnout/sfu/receive"
	"github.com/turnout-rtc/turnout/sfu/report"
	"github.com/turnout-rtc/turnout/sfu/rtcp"
)

// Pauses between reports, as browsers make them.
const (
	transportEvery  = visitEvery * visits // 100 ms
	receiverReports = 10                  // one of so many transport-wide ones has a receiver report in front
)

const feedbackSSRC = 1 // of who makes reports

// feedback tells the server what arrived, for a full client. The loop does it for a light one.
func (c *client) feedback() {
	tick := time.NewTicker(transportEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
			c.tell()
		}
	}
}

// tell sends the reports that are due.
func (c *client) tell() {
	b := c.notes.plain[:0]
	if c.notes.told++; c.notes.told%receiverReports == 1 {
		b = c.received.receiverReport(b)
	}
	for more := true; more; b = b[:0] {
		b, more = c.received.transportFeedback(b)
		c.report(b)
		c.notes.plain = b
	}
}

// notes are what it takes to report, used again. Owned by who calls tell.
type notes struct {
	plain []byte
	told  int
}

// receiverReport appends a report on all streams.
func (r *received) receiverReport(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var blocks [rtcp.MaxBlocks]rtcp.Block
	n := 0
	for ssrc, s := range r.streams {
		if n < len(blocks) {
			blocks[n] = rtcp.Block{SSRC: ssrc, Reception: report.Reception{Highest: s.highest}}
			n++
		}
	}
	if n == 0 {
		return dst
	}
	return rtcp.AppendReceiverReport(dst, feedbackSSRC, blocks[:n])
}

// transportFeedback appends a report on the latest packets, if there are any, and says whether there is more than fits into one.
func (r *received) transportFeedback(dst []byte) (b []byte, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.arrived.Due() == 0 {
		return dst, false
	}
	start := len(dst)
	dst = rtcp.BeginTransportFeedback(dst, feedbackSSRC, feedbackSSRC)
	body := len(dst)
	if dst = r.arrived.Report(dst); len(dst) == body {
		return dst[:start], false
	}
	return rtcp.FinishTransportFeedback(dst, start), r.arrived.Due() > 0
}

// ask asks for what is missing, once.
func (c *client) ask() {
	if b := c.received.requests(nil); len(b) > 0 {
		c.report(b)
	}
}

// requests appends a NACK for each stream that misses packets.
func (r *received) requests(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ssrc, s := range r.streams {
		if len(s.missing) > 0 {
			dst = rtcp.AppendNACK(dst, feedbackSSRC, ssrc, receive.Pairs(s.missing, nil))
			s.missing = s.missing[:0]
		}
	}
	return dst
}

// report sends RTCP packets. Without keys there is nobody yet to report to.
func (c *client) report(b []byte) {
	if len(b) > 0 {
		_ = c.protect.sealReport(b, c.transmit)
	}
}
