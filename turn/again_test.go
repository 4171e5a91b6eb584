package turn

import (
	"runtime"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// A client that gives up its allocation and takes another at once keeps the other: taking down the first must not reach it.
func TestAnotherAllocationAtOnceLives(t *testing.T) {
	planes(t, func(t *testing.T, cfg Config) {
		s := start(t, cfg)
		for _, network := range []string{"udp", "tcp"} {
			c := newRaw(t, s, network, "alice")
			c.mustAllocate()
			for range 20 {
				if m := c.request(stun.MethodRefresh, lifetime(0)); code(m) != 0 {
					t.Fatalf("giving up: %v", m)
				}
				c.mustAllocate()
				runtime.Gosched()
				if m := c.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != 0 {
					t.Fatalf("%s: the other allocation: %v", network, m)
				}
			}
		}
	})
}
