package turn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

func TestRevokedUsersAreOut(t *testing.T) { planes(t, testRevokedUsersAreOut) }

func testRevokedUsersAreOut(t *testing.T, cfg Config) {
	s := start(t, cfg)
	alice, bob := newRaw(t, s, "udp", "alice"), newRaw(t, s, "tcp", "bob")
	alice.mustAllocate()
	bob.mustAllocate()
	if n := s.Revoke("alice"); n != 1 {
		t.Errorf("%d allocations revoked", n)
	}
	eventually(t, "alice's allocation ends", func() bool { return s.Stats().Allocations == 1 })
	if m := newRaw(t, s, "udp", "bob").allocate(); code(m) != 0 {
		t.Errorf("bob: %v", m)
	}
	if m := alice.allocate(); code(m) != int(stun.CodeUnauthorized) {
		t.Errorf("alice with her old credential: %v", m)
	}
	// A credential that was minted later expires later.
	alice.user, alice.pass = s.settings.Load().keys.Mint("alice", time.Now().Add(time.Hour+2*time.Second))
	if m := alice.allocate(); code(m) != 0 {
		t.Errorf("alice with a new credential: %v", m)
	}
}

func TestRevocationsAreForgottenInTime(t *testing.T) {
	var v revocations
	now := time.Unix(1_790_000_000, 0)
	for i := range 1000 {
		at := now.Add(time.Duration(i) * time.Minute)
		v.add(fmt.Sprint(i), at.Add(time.Hour), at)
	}
	if n := len(v.until); n > 62 {
		t.Errorf("%d revocations kept", n)
	}
}

func TestReloadRotatesKeysAndPolicy(t *testing.T) {
	s := start(t, loopback())
	old := newRaw(t, s, "udp", "alice")
	old.mustAllocate()
	next := loopback()
	next.Keys, next.Relay.Allow = []string{"k2:south"}, nil
	if err := s.Reload(next); err != nil {
		t.Fatal(err)
	}
	if u := newRaw(t, s, "udp", "alice"); !strings.Contains(u.user, ":k2.alice") || code(u.allocate()) != 0 {
		t.Errorf("the new key does not mint and verify: %s", u.user)
	}
	if m := old.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != 0 {
		t.Errorf("the old key: %v", m)
	}
	if m := old.request(stun.MethodCreatePermission, peerAt("127.0.0.1:9")); code(m) != int(stun.CodeForbidden) {
		t.Errorf("the old policy: %v", m)
	}
	next.Secret = ""
	if err := s.Reload(next); err != nil {
		t.Fatal(err)
	}
	if m := old.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != int(stun.CodeUnauthorized) {
		t.Errorf("a retired key: %v", m)
	}
	next.Relay.Deny = []string{"nonsense"}
	if err := s.Reload(next); err == nil || len(s.settings.Load().deny) != 0 {
		t.Errorf("a bad configuration: %v", err)
	}
}

func TestShutdownWaitsForAllocations(t *testing.T) {
	s := start(t, loopback())
	c := newRaw(t, s, "udp", "alice")
	c.mustAllocate()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	eventually(t, "it drains", s.draining.Load)
	if m := newRaw(t, s, "udp", "bob").allocate(); code(m) != int(stun.CodeInsufficientCapacity) {
		t.Errorf("a new allocation: %v", m)
	}
	if m := c.request(stun.MethodRefresh, lifetime(600*time.Second)); code(m) != 0 {
		t.Errorf("the old allocation: %v", m)
	}
	c.request(stun.MethodRefresh, lifetime(0))
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	s := start(t, loopback())
	newRaw(t, s, "udp", "alice").mustAllocate()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) || s.Stats().Allocations != 0 {
		t.Errorf("%v, %d allocations", err, s.Stats().Allocations)
	}
}

// In the mode "self" clients reach the SFU in memory, and nothing else; no port is opened.
func TestSelfHandsOverInMemory(t *testing.T) { planes(t, testSelfHandsOverInMemory) }

func testSelfHandsOverInMemory(t *testing.T, cfg Config) {
	media := netip.MustParseAddrPort("127.0.0.1:7882")
	cfg.Relay.Mode = relaySelf
	var s *Server
	ready := make(chan struct{})
	s, err := New(cfg, []netip.AddrPort{media}, nil, WithHandover(func(b []byte, from, to netip.AddrPort) {
		<-ready
		if to != media {
			t.Errorf("handed over to %v", to)
		}
		s.Deliver(append([]byte("echo "), b...), to, from)
	}))
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	t.Cleanup(func() { _ = s.Close() })
	for _, network := range []string{"udp", "tcp"} {
		relay := allocate(t, dial(t, s, network, "alice"))
		if _, err := relay.WriteTo([]byte("hi"), net.UDPAddrFromAddrPort(media)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		_ = relay.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, from, err := relay.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "echo hi" || addrPort(from) != media {
			t.Errorf("%s: %q from %v, %v", network, buf[:n], from, err)
		}
		if conn, err := net.ListenUDP("udp", udpAddr(relay.LocalAddr().String())); err != nil {
			t.Errorf("a relay port was opened: %v", err)
		} else {
			_ = conn.Close()
		}
	}
	c := newRaw(t, s, "udp", "bob")
	c.mustAllocate()
	for _, peer := range []string{"127.0.0.1:7883", "1.1.1.1:5000"} {
		if m := c.request(stun.MethodChannelBind, channel(0x4000), peerAt(peer)); code(m) != int(stun.CodeForbidden) {
			t.Errorf("channel to %s: %v", peer, m)
		}
	}
	if s.Deliver([]byte("x"), media, netip.MustParseAddrPort("127.0.0.1:1")) {
		t.Error("delivered to nobody")
	}
}

func TestAdoptedConnectionsAreServed(t *testing.T) {
	s := start(t, loopback())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(conn, true); err != nil {
		t.Fatal(err)
	}
	if m := (&raw{t: t, conn: client, readTimeout: 5 * time.Second}).bare(stun.MethodBinding); code(m) != 0 {
		t.Error(m)
	}
	if st := s.Stats(); st.Handshakes["ok"] != 1 || st.Handshakes["failed"] != 0 {
		t.Errorf("handshakes %v", st.Handshakes)
	}
	_ = client.Close()
	a, b := net.Pipe()
	if err := s.Adopt(a, false); err == nil {
		t.Error("adopted a connection without addresses")
	}
	_ = b.Close()
}
