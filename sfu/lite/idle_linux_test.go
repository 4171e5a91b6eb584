package lite_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"github.com/turnout-rtc/turnout/sfu/lite"
)

// The clients of TestIdleCost run in a process of their own, which is this test again with these set.
const (
	clientsURL   = "TURNOUT_IDLE_CLIENTS"
	clientsCount = "TURNOUT_IDLE_COUNT"
	clientsData  = "TURNOUT_IDLE_DATA"
)

// What an idle participant may cost: about twice what is measured. No goroutine is its own.
const (
	idleKiB        = 30
	idleGoroutines = 0.1
)

// TestIdleCost prints what an idle participant costs the server. It takes minutes: set TURNOUT_MEASURE=1. Run one at a time:
// what the first has freed makes the second look smaller.
func TestIdleCost(t *testing.T) {
	if os.Getenv("TURNOUT_MEASURE") == "" {
		t.Skip("TURNOUT_MEASURE is not set")
	}
	t.Run("channel", func(t *testing.T) { idleCost(t, lite.Config{}, true) })
	t.Run("media", func(t *testing.T) { idleCost(t, lite.Config{}, false) })
	t.Run("full channel", func(t *testing.T) { idleCost(t, lite.Config{Full: true}, true) })
	t.Run("full media", func(t *testing.T) { idleCost(t, lite.Config{Full: true}, false) })
}

func idleCost(t *testing.T, cfg lite.Config, data bool) {
	s := open(t, cfg)
	web := httptest.NewServer(http.HandlerFunc(s.join))
	defer web.Close()
	const warm, n = 50, 300
	defer idleClients(t, web.URL, warm, data)()
	before, goroutines, cpu := rss(t), runtime.NumGoroutine(), cpuTime()
	defer idleClients(t, web.URL, n, data)()
	web.CloseClientConnections()
	join := (cpuTime() - cpu) / n
	after, more := rss(t), runtime.NumGoroutine()
	cpu = cpuTime()
	const idle = 10 * time.Second
	time.Sleep(idle) // what is measured is that nothing happens
	perSecond := (cpuTime() - cpu) / (warm + n) / int64(idle/time.Second)
	kib, own := float64(after-before)/n, float64(more-goroutines)/n
	t.Logf("RSS %.1f KiB, goroutines %.1f, join %d µs CPU, idle %d µs CPU per second", kib, own, join/1000, perSecond/1000)
	if kib > idleKiB || own > idleGoroutines {
		t.Errorf("more than %v KiB or %v goroutines", idleKiB, idleGoroutines)
	}
}

// join answers an offer as a signaling server would.
func (s *server) join(w http.ResponseWriter, r *http.Request) {
	offer, _ := io.ReadAll(r.Body)
	x, err := s.NewTransport(func(e lite.Event) {
		if c, ok := e.(lite.ChannelOpened); ok {
			c.Channel.OnMessage(func([]byte) {})
		}
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sdp, _, err := x.Answer(string(offer))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, sdp)
}

// idleClients starts a process with count clients and returns when they are connected. It is ended by what it returns.
func idleClients(t *testing.T, url string, count int, data bool) (stop func()) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=TestIdleClients$", "-test.v") //nolint:gosec // this program itself
	c.Env = append(os.Environ(), clientsURL+"="+url, clientsCount+"="+strconv.Itoa(count), clientsData+"="+strconv.FormatBool(data))
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ready") {
			return func() { _ = in.Close(); _ = c.Wait() }
		}
	}
	t.Fatal("the clients did not connect")
	return nil
}

// rss is the resident memory in KiB, after the collector has given back what it can.
func rss(t *testing.T) int {
	time.Sleep(2 * time.Second) // let timers of the handshakes run out
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpuTime is what this process has used, in ns.
func cpuTime() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// TestIdleClients is the clients' process.
func TestIdleClients(t *testing.T) {
	url := os.Getenv(clientsURL)
	if url == "" {
		t.Skip("only for TestIdleCost")
	}
	n, _ := strconv.Atoi(os.Getenv(clientsCount))
	var se webrtc.SettingEngine
	se.SetIncludeLoopbackCandidate(true)
	se.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	se.SetICETimeouts(10*time.Second, 60*time.Second, 2500*time.Millisecond) // a browser's interval
	me := &webrtc.MediaEngine{}
	if err := me.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(se), webrtc.WithMediaEngine(me), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	for range n {
		idleClient(t, api, url)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0) // as a browser that is killed
}

func idleClient(t *testing.T, api *webrtc.API, url string) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []webrtc.RTPTransceiverDirection{webrtc.RTPTransceiverDirectionSendonly, webrtc.RTPTransceiverDirectionRecvonly} {
		for _, k := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			if _, err := pc.AddTransceiverFromKind(k, webrtc.RTPTransceiverInit{Direction: d}); err != nil {
				t.Fatal(err)
			}
		}
	}
	up := make(chan struct{}, 1)
	if os.Getenv(clientsData) == "true" {
		dc, err := pc.CreateDataChannel("turnout", nil)
		if err != nil {
			t.Fatal(err)
		}
		dc.OnOpen(func() { up <- struct{}{} })
	} else {
		pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
			if s == webrtc.PeerConnectionStateConnected {
				up <- struct{}{}
			}
		})
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	done := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-done
	r, err := http.Post(url, "application/sdp", strings.NewReader(pc.LocalDescription().SDP))
	if err != nil {
		t.Fatal(err)
	}
	sdp, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(sdp)}); err != nil {
		t.Fatal(err, string(sdp))
	}
	select {
	case <-up:
	case <-time.After(patience):
		t.Fatal("not connected")
	}
}
