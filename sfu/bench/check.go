//go:build linux

package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// Pauses between connectivity checks, and between those that renew the server's consent (RFC 7675 §5.1).
const (
	checkEvery   = 20 * time.Millisecond
	consentEvery = 4 * time.Second
)

type credentials struct{ ufrag, password string }

// check sends connectivity checks, and later renews the server's consent.
func (c *client) check() {
	next := checkEvery
	for {
		m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(c.remote.ufrag+":"+c.local.ufrag), ice.AttrControlling(1),
			ice.PriorityAttr(1<<30), ice.UseCandidate(), stun.NewShortTermIntegrity(c.remote.password), stun.Fingerprint)
		if err != nil {
			panic(err)
		}
		_ = c.transmit(m.Raw)
		select {
		case <-c.done:
			return
		case <-c.bound:
			next = consentEvery
		default:
		}
		select {
		case <-c.done:
			return
		case <-time.After(next):
		}
	}
}

// stun takes an answer to a check of ours, and answers those of the server.
func (c *client) stun(b []byte) {
	m := &stun.Message{Raw: append([]byte(nil), b...)}
	if m.Decode() != nil {
		return
	}
	switch m.Type {
	case stun.BindingSuccess:
		c.binding.Do(func() { close(c.bound) })
	case stun.BindingRequest:
		from := c.control.server
		r, err := stun.Build(m, stun.BindingSuccess, &stun.XORMappedAddress{IP: from.Addr().AsSlice(), Port: int(from.Port())},
			stun.NewShortTermIntegrity(c.local.password), stun.Fingerprint)
		if err == nil {
			_ = c.transmit(r.Raw)
		}
	}
}

// remoteOf reads what a client must know of an answer.
func remoteOf(answer string) (r credentials, server netip.AddrPort) {
	for line := range strings.Lines(answer) {
		line = strings.TrimSpace(line)
		if v, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && r.ufrag == "" {
			r.ufrag = v
		}
		if v, ok := strings.CutPrefix(line, "a=ice-pwd:"); ok && r.password == "" {
			r.password = v
		}
		// a=candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host
		f := strings.Fields(line)
		if strings.HasPrefix(line, "a=candidate:") && len(f) > 5 && strings.EqualFold(f[2], "udp") && f[4] == "127.0.0.1" && !server.IsValid() {
			server, _ = netip.ParseAddrPort(f[4] + ":" + f[5])
		}
	}
	return r, server
}
