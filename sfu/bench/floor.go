//go:build linux

package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/turnout-rtc/turnout/sfu/netio"
)

// floor is the least a forwarder can do in Go: it receives datagrams in batches, encrypts each once for every destination with
// AES-GCM, and sends them in batches, those of one burst to one destination as one message (GSO). It knows no RTP.
//
// Whoever sends it a datagram of one byte is a destination; all other datagrams are copied to the destinations.
type floor struct {
	socket *netio.Socket
	seal   cipher.AEAD

	destinations []netip.AddrPort // owned by run
}

func newFloor() (*floor, error) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	f := &floor{}
	if f.seal, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	sockets, err := netio.Open(netio.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		return nil, err
	}
	f.socket = sockets[0]
	go f.run()
	return f, nil
}

func (f *floor) addr() string { return f.socket.Addr().String() }

func (f *floor) join(join) (string, error) { return "", errors.New("the floor knows no SDP") }

func (f *floor) leave(string) {}

const rtpHeader = 12

// floorHeader is what is not encrypted: an RTP header, and as much of header extensions as a number takes.
const floorHeader = rtpHeader + numberBytes

func (f *floor) run() {
	batch, w := make([]netio.Packet, 64), f.socket.NewWriter()
	nonce := make([]byte, 12)
	for n := uint64(0); ; {
		count, err := f.socket.Read(batch)
		if err != nil {
			return
		}
		media := batch[:0]
		for _, p := range batch[:count] {
			if len(p.Data) == 1 {
				f.destinations = append(f.destinations, p.From)
				p.Release()
			} else {
				media = append(media, p)
			}
		}
		for _, to := range f.destinations {
			for _, p := range media {
				n++
				binary.BigEndian.PutUint64(nonce, n)
				b := w.Slot(len(p.Data) + f.seal.Overhead())
				copy(b, p.Data[:floorHeader])
				f.seal.Seal(b[floorHeader:floorHeader], nonce, p.Data[floorHeader:], b[:floorHeader])
				w.Commit(len(p.Data)+f.seal.Overhead(), to)
			}
		}
		_ = w.Flush()
		for _, p := range media {
			p.Release()
		}
	}
}
