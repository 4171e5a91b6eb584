package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// wire is the protocol of the clients.
type wire string

const (
	yWebsocket wire = "y-websocket"
	hocuspocus wire = "hocuspocus"

	dataChannel wire = "data channel" // messages, not updates
)

// sampled is how many clients look at what they receive; the others only read it, so that the load is light.
const sampled = 3

// patience is how long the clients wait for the last update.
const patience = 30 * time.Second

// typist is one client.
type typist struct {
	conn *websocket.Conn
	wire wire
	id   uint64 // its Yjs client

	// Guarded by mu.
	mu    sync.Mutex
	sent  []time.Time // not acknowledged
	acks  []time.Duration
	clock uint64
	late  time.Duration
	doc   *yjs.Doc // nil: it is not sampled
	err   error
}

func connect(s *server, w wire, number int) (*typist, error) {
	conn, res, err := websocket.DefaultDialer.Dial(s.url(w), nil)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	t := &typist{conn: conn, wire: w, id: uint64(number) + 1}
	if number < sampled {
		t.doc = &yjs.Doc{}
	}
	if w == hocuspocus {
		t.write(yjs.Token, []byte(s.token))
	}
	t.write(yjs.SyncStep1, []byte{0})
	return t, nil
}

// document is the name for Hocuspocus' wire.
const document = "doc"

// write is called by one goroutine at a time.
func (t *typist) write(kind yjs.Kind, body []byte) {
	m := yjs.Message{Kind: kind, Body: body}
	b := m.Append(nil)
	if t.wire == hocuspocus {
		b = yjs.Hocuspocus{Key: []byte(document), Message: m}.Append(nil)
	}
	if err := t.conn.WriteMessage(websocket.BinaryMessage, b); err != nil {
		t.fail(err)
	}
}

func (t *typist) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
}

func (t *typist) decode(b []byte) (yjs.Message, error) {
	if t.wire == hocuspocus {
		m, err := yjs.DecodeHocuspocus(b)
		return m.Message, err
	}
	return yjs.DecodeMessage(b)
}

// read takes what comes until the connection is closed. A state vector is not answered: there is nothing before the first edit.
func (t *typist) read() {
	for {
		_, b, err := t.conn.ReadMessage()
		if err != nil {
			t.fail(err)
			return
		}
		if t.doc == nil && t.wire != hocuspocus {
			continue
		}
		m, err := t.decode(b)
		if err != nil {
			continue // a kind of its own
		}
		t.take(m)
	}
}

func (t *typist) take(m yjs.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch m.Kind {
	case yjs.SyncStatus:
		if len(t.sent) > 0 {
			t.acks = append(t.acks, time.Since(t.sent[0]))
			t.sent = t.sent[1:]
		}
	case yjs.SyncUpdate, yjs.SyncStep2:
		if t.doc != nil {
			if _, err := t.doc.Apply(m.Body); err != nil && t.err == nil {
				t.err = err
			}
		}
	default: // awareness, authentication
	}
}

const word = "abcd"

// edit types a word.
func (t *typist) edit(due time.Time) {
	t.mu.Lock()
	update := insertion(t.id, t.clock, word)
	t.clock += uint64(len(word))
	t.sent = append(t.sent, time.Now())
	t.late = max(t.late, time.Since(due))
	if t.doc != nil {
		_, _ = t.doc.Apply(update) // ours is well-formed
	}
	t.mu.Unlock()
	t.write(yjs.SyncUpdate, update)
}

// insertion is a Yjs update: client inserts text at its clock, behind its own last character, the first at the beginning of the
// root type "t".
func insertion(client, clock uint64, text string) []byte {
	b := number(number([]byte{1, 1}, client), clock)
	if clock == 0 {
		b = append(b, 4, 1, 1, 't')
	} else {
		b = number(number(append(b, 4|0x80), client), clock-1)
	}
	return append(append(number(b, uint64(len(text))), text...), 0)
}

func number(b []byte, n uint64) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// typeFor types at a rate, from the moment begin is over.
func (t *typist) typeFor(begin time.Time, l load, offset time.Duration) {
	period := time.Duration(float64(time.Second) / l.rate)
	for due := begin.Add(offset); due.Before(begin.Add(l.time)); due = due.Add(period) {
		time.Sleep(time.Until(due))
		t.edit(due)
	}
}

// typeAll lets all clients type and waits until the sampled ones have everything.
func typeAll(s *server, w wire, l load) (r result, err error) {
	var all []*typist
	var reading, typing sync.WaitGroup
	defer func() {
		for _, t := range all {
			_ = t.conn.Close()
		}
		reading.Wait()
	}()
	for i := range l.clients {
		t, err := connect(s, w, i)
		if err != nil {
			return result{}, err
		}
		all = append(all, t)
		reading.Go(t.read)
	}
	time.Sleep(500 * time.Millisecond) // the joins do not count
	before, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	begin := time.Now()
	for i, t := range all {
		typing.Go(func() { t.typeFor(begin, l, time.Duration(i)*time.Second/time.Duration(l.rate*float64(l.clients))) })
	}
	typing.Wait()
	if err := settle(all); err != nil {
		return result{}, err
	}
	after, err := s.cpu()
	if err != nil {
		return result{}, err
	}
	r.cpu = after - before
	for _, t := range all {
		t.mu.Lock()
		r.delivered += int(t.clock) / len(word) * (len(all) - 1)
		r.acks = append(r.acks, t.acks...)
		r.lag = max(r.lag, t.late)
		t.mu.Unlock()
	}
	r.rss, err = s.rss()
	return r, err
}

// settle waits until the sampled clients have what all have typed.
func settle(all []*typist) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		missing, err := lacking(all)
		if err != nil {
			return err
		}
		if missing == 0 {
			return nil
		}
	}
	missing, _ := lacking(all)
	return fmt.Errorf("%d characters have not arrived", missing)
}

func lacking(all []*typist) (missing uint64, err error) {
	for _, t := range all[:min(sampled, len(all))] {
		t.mu.Lock()
		if t.err != nil {
			err = t.err
		}
		have := t.doc.StateVector()
		t.mu.Unlock()
		for _, other := range all {
			missing += other.clock - have.Clock(other.id)
		}
	}
	return missing, err
}
