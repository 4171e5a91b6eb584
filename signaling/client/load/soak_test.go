package load_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/signaling/client"
)

// TestNothingGrows has people come and go, publish, mute and unpublish, in rounds after each of which everybody has left: then
// there are as many goroutines and sockets as before, and not more memory. TURNOUT_SOAK=20m makes it that long.
func TestNothingGrows(t *testing.T) {
	const rounds = 4
	round := 1500 * time.Millisecond
	if long, err := time.ParseDuration(os.Getenv("TURNOUT_SOAK")); err == nil {
		round = long / rounds
	}
	url := server(t)
	var first traces
	for i := range rounds {
		actions := churn(t, url, round)
		now := settled(t, first)
		t.Logf("round %d: %d actions, %+v", i, actions, now)
		if i == 0 {
			first = now // the first round fills the pools
		}
		if actions < 10 {
			t.Fatalf("only %d actions", actions)
		}
	}
}

// traces are what a process leaves behind.
type traces struct {
	goroutines, files int
	heap              uint64 // KiB in use
}

func measure(t *testing.T) traces {
	t.Helper()
	runtime.GC()
	runtime.GC() // the second frees what finalizers kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("open files cannot be counted here: %v", err)
	}
	return traces{runtime.NumGoroutine(), len(files), m.HeapAlloc >> 10}
}

// slack is by how much the heap may differ from round to round: pools, maps that do not shrink, timers that have not run out.
const slack = 8 << 10 // KiB

// settled waits until no more is left than after the first round, and fails when that does not come.
func settled(t *testing.T, first traces) traces {
	t.Helper()
	var now traces
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		before := now
		now = measure(t)
		if first == (traces{}) && now.goroutines == before.goroutines && now.files == before.files {
			return now
		}
		if now.goroutines <= first.goroutines && now.files <= first.files && now.heap <= first.heap+slack {
			return now
		}
	}
	buf := make([]byte, 1<<20)
	t.Fatalf("left behind: %+v, after the first round %+v\n%s", now, first, buf[:runtime.Stack(buf, true)])
	return now
}

// churn has people act for a while and leave, and returns how much they did.
func churn(t *testing.T, url string, d time.Duration) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context()) // no deadline: a dialer fails at one before ctx says so
	defer time.AfterFunc(d, cancel).Stop()
	defer cancel()
	var people sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for i := range 6 {
		people.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano())))
			done := 0
			for ctx.Err() == nil {
				n, err := visit(ctx, url, fmt.Sprintf("person%d", i), r)
				done += n
				if err != nil && ctx.Err() == nil {
					t.Errorf("person %d: %v", i, err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += done
		})
	}
	people.Wait()
	return total
}

// visit is one stay in a room, during which some of everything is done.
func visit(ctx context.Context, url, identity string, r *rand.Rand) (actions int, err error) {
	token, err := mint(ctx, "soak", identity)
	if err != nil {
		return 0, err
	}
	room, err := client.Join(ctx, url, token, client.Options{})
	if err != nil {
		return 0, err
	}
	defer func() {
		if r.IntN(4) > 0 {
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = room.Leave(bye)
		}
		room.Close() // without a word, sometimes
	}()
	var published []*client.Publication
	for range 2 + r.IntN(6) {
		actions++
		switch {
		case len(published) < 2 && r.IntN(2) == 0:
			p, err := publishNoise(ctx, room, r)
			if err != nil {
				return actions, err
			}
			published = append(published, p)
		case len(published) > 0 && r.IntN(3) == 0:
			err = published[0].Close(ctx)
			published = published[1:]
		case len(published) > 0:
			err = published[0].Mute(ctx, r.IntN(2) == 0)
		default:
			_ = room.Chat("hello") // the channel may not be open yet
		}
		if err != nil {
			return actions, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(r.IntN(60)) * time.Millisecond): // what people do takes time
		}
	}
	return actions, nil
}

// publishNoise publishes a track with some packets on it.
func publishNoise(ctx context.Context, room *client.Room, r *rand.Rand) (*client.Publication, error) {
	mime, source := webrtc.MimeTypeVP8, "camera"
	if r.IntN(2) == 0 {
		mime, source = webrtc.MimeTypeOpus, "microphone"
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, source, "soak")
	if err != nil {
		return nil, err
	}
	p, err := room.Publish(ctx, track, source)
	if err != nil {
		return nil, err
	}
	for i := range 20 {
		_ = track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i) * 3000}, Payload: []byte{0x10, 0, 1, 2, 3}})
	}
	return p, nil
}
