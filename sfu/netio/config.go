package netio

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Mode says how datagrams pass between us and the kernel.
type Mode string

// The modes. Each includes what the ones after it do; a mode the system cannot serve falls back to the next.
const (
	Offload  Mode = ""         // many datagrams per call, the kernel cuts and joins runs of equal ones (GSO, GRO)
	Batch    Mode = "batch"    // many datagrams per call
	Portable Mode = "portable" // one datagram per call
)

// Defaults of Config.
const (
	defaultKernelBuffer = 4 << 20               // bytes; a key frame of 50 publishers at once is about 3 MB
	defaultBurst        = 10                    // segments; a longer run overflows shallow queues on the way
	defaultWriteWait    = 10 * time.Millisecond // half of a 20 ms audio packet's time
	maxBurst            = 64                    // UDP_MAX_SEGMENTS before Linux 6.7
)

// Config of the sockets of one address. The zero value of a field means its default.
type Config struct {
	Addr    netip.AddrPort // what to listen on; port 0 takes a free one, the same for all sockets
	Sockets int            // sockets on the port, each with its own reader; default 1
	Mode    Mode

	ReadBuffer  int           // bytes asked of the kernel for received datagrams; default 4 MiB
	WriteBuffer int           // bytes asked of the kernel for datagrams to send; default 4 MiB
	Burst       int           // datagrams of one GSO send at most, up to 64; default 10
	WriteWait   time.Duration // how long one Flush may wait for a full kernel buffer before it drops; default 10 ms
}

// Validate says what is wrong with c and what to do about it.
func (c Config) Validate() error {
	switch {
	case !c.Addr.Addr().IsValid():
		return errors.New("netio: no listen address: give an IP address and a port")
	case c.Sockets < 0 || c.Sockets > 1024:
		return fmt.Errorf("netio: %d sockets: use 1 to 1024, one per processor is enough", c.Sockets)
	case c.Burst < 0 || c.Burst > maxBurst:
		return fmt.Errorf("netio: burst %d: use 1 to %d", c.Burst, maxBurst)
	case c.ReadBuffer < 0 || c.WriteBuffer < 0 || c.WriteWait < 0:
		return errors.New("netio: a buffer size or the write wait is negative: leave it 0 for the default")
	case c.Mode != Offload && c.Mode != Batch && c.Mode != Portable:
		return fmt.Errorf("netio: unknown mode %q: use \"batch\", \"portable\" or leave it empty", c.Mode)
	}
	return nil
}

func (c Config) withDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.Sockets, 1)
	set(&c.ReadBuffer, defaultKernelBuffer)
	set(&c.WriteBuffer, defaultKernelBuffer)
	set(&c.Burst, defaultBurst)
	if c.WriteWait == 0 {
		c.WriteWait = defaultWriteWait
	}
	return c
}
