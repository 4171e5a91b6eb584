package keyframe

import (
	"testing"
	"time"
)

// requests counts what is sent within d, polling whenever it is due.
func requests(r *Requester, now *time.Time, d time.Duration) int {
	n := 0
	for end := now.Add(d); now.Before(end); {
		send, next := r.Poll(*now)
		if send {
			n++
		}
		if next.IsZero() {
			*now = end
			break
		}
		*now = next
	}
	return n
}

func TestRequestIsRepeatedUntilTheKeyFrameComes(t *testing.T) {
	var r Requester
	now := time.Unix(1e9, 0)
	if n := requests(&r, &now, time.Second); n != 0 {
		t.Errorf("%d requests that nobody wanted", n)
	}
	r.Want()
	r.Want()
	if n := requests(&r, &now, time.Second); n != 4 {
		t.Errorf("%d requests in a second, not 4", n)
	}
	r.Arrived()
	if n := requests(&r, &now, time.Minute); n != 0 {
		t.Errorf("%d requests after the key frame", n)
	}
}

func TestWishesAreMergedAcrossKeyFrames(t *testing.T) {
	var r Requester
	now := time.Unix(1e9, 0)
	n := 0
	for range 1000 { // a second in which every subscriber asks for ever more key frames
		r.Want()
		if send, _ := r.Poll(now); send {
			n++
			r.Arrived()
		}
		now = now.Add(time.Millisecond)
	}
	if n != 4 {
		t.Errorf("%d requests in a second, not 4", n)
	}
}

func TestPublisherWithoutKeyFramesIsAskedRarely(t *testing.T) {
	var r Requester
	now := time.Unix(1e9, 0)
	r.Want()
	requests(&r, &now, patience*interval)
	if n := requests(&r, &now, time.Minute); n > 21 {
		t.Errorf("%d requests in a minute", n)
	}
}
