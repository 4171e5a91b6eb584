//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/turnout-rtc/turnout/turn/credential"
	"github.com/turnout-rtc/turnout/turn/frame"
)

// load is what the clients do to a server.
type load struct {
	rate, clients, size int
	duration            time.Duration
}

// result of a round. cpu is in µs per relayed datagram, loss in per cent, times in ms.
type result struct{ cpu, loss, p50, p99 float64 }

func (r result) String() string {
	return fmt.Sprintf("%.2f µs/packet, loss %.3f %%, RTT p50 %.2f p99 %.2f ms", r.cpu, r.loss, r.p50, r.p99)
}

// settle is how long stragglers are waited for.
const settle = 300 * time.Millisecond

func (l load) run(addr string, cpu func() (time.Duration, error)) (result, error) {
	peer, err := newEcho()
	if err != nil {
		return result{}, err
	}
	defer peer.close()
	keys := credential.Keys{{Secret: []byte(secret)}}
	user, pass := keys.Mint("bench", time.Now().Add(time.Hour))
	var clients []*client
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	server := netip.MustParseAddrPort(addr)
	for range l.clients {
		c, err := dial(server, user, pass, peer.addr())
		if err != nil {
			return result{}, err
		}
		clients = append(clients, c)
		go c.receive()
	}
	before, err := cpu()
	if err != nil {
		return result{}, err
	}
	sent := l.send(clients)
	time.Sleep(settle)
	after, err := cpu()
	if err != nil {
		return result{}, err
	}
	return l.sum(clients, sent, after-before)
}

// maxBehind is how far the sender may be behind its schedule and catch up.
const maxBehind = 20 * time.Millisecond

// send paces the datagrams: what is due each millisecond, spread over the clients.
func (l load) send(clients []*client) (sent int) {
	b := make([]byte, frame.ChannelHeader+l.size)
	binary.BigEndian.PutUint16(b, firstChannel)
	binary.BigEndian.PutUint16(b[2:], uint16(l.size)) //nolint:gosec // a flag of ours
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	stop := start.Add(l.duration)
	for range tick.C {
		elapsed := time.Since(start)
		if time.Now().After(stop) {
			return sent
		}
		if behind := elapsed - time.Duration(float64(sent)/float64(l.rate)*float64(time.Second)); behind > maxBehind {
			start = start.Add(behind) // this process was not run: a burst to catch up would only measure the buffers
			continue
		}
		for due := int(elapsed.Seconds() * float64(l.rate)); sent < due; sent++ {
			binary.BigEndian.PutUint64(b[frame.ChannelHeader:], uint64(time.Now().UnixNano())) //nolint:gosec // after 1970
			_, _ = clients[sent%len(clients)].conn.Write(b)
		}
	}
	return sent
}

func (l load) sum(clients []*client, sent int, cpu time.Duration) (result, error) {
	var times []time.Duration
	for _, c := range clients {
		c.close()
		<-c.done
		times = append(times, c.times...)
	}
	if len(times) == 0 {
		return result{}, errors.New("nothing came back")
	}
	slices.Sort(times)
	ms := func(q float64) float64 { return times[int(q*float64(len(times)-1))].Seconds() * 1000 }
	return result{
		cpu:  float64(cpu.Microseconds()) / float64(sent+len(times)),
		loss: 100 * float64(sent-len(times)) / float64(sent),
		p50:  ms(0.5), p99: ms(0.99),
	}, nil
}

// echo answers every datagram with itself.
type echo struct {
	conn *net.UDPConn
	wait sync.WaitGroup
}

func newEcho() (*echo, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	e := &echo{conn: conn}
	e.wait.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(buf[:n], from)
		}
	})
	return e, nil
}

func (e *echo) addr() netip.AddrPort { return e.conn.LocalAddr().(*net.UDPAddr).AddrPort() } //nolint:forcetypeassert // a UDP socket

func (e *echo) close() {
	_ = e.conn.Close()
	e.wait.Wait()
}
