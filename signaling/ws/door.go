package ws

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Owner is whom a door works for.
type Owner struct {
	// Serve is called for every WebSocket, from a goroutine of its own; the WebSocket is closed when it returns. It has to
	// read until Read fails.
	Serve func(c *Conn, token string)
	// Refused is told the error code of every request that does not become a WebSocket.
	Refused func(code string)
	// Closed is told why a WebSocket ended: our close code, "peer" or "lost".
	Closed func(why string)
}

// Door upgrades requests to WebSockets.
type Door struct {
	// Set at construction, never changed.
	cfg      Config
	owner    Owner
	upgrader websocket.Upgrader

	serving sync.WaitGroup // one for each Conn

	// Guarded by mu.
	mu       sync.Mutex
	conns    map[*Conn]struct{}
	reserved int // for upgrades under way
	shut     bool
}

// NewDoor makes a door. All functions of owner must be set.
func NewDoor(cfg Config, owner Owner) *Door {
	return &Door{
		cfg: cfg, owner: owner, conns: map[*Conn]struct{}{},
		upgrader: websocket.Upgrader{
			HandshakeTimeout: cfg.Timeout,
			// Most messages are small; writes borrow their buffer, so that an idle WebSocket holds only this one.
			ReadBufferSize: 1024, WriteBufferPool: &sync.Pool{},
			CheckOrigin: func(*http.Request) bool { return true }, // done before, for an answer that says why
		},
	}
}

// ServeHTTP answers GET /ws. It returns as soon as the WebSocket is open, which frees what the HTTP server holds for a request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !originAllowed(r, d.cfg.Origins) {
		d.refuse(w, http.StatusForbidden, forbiddenOrigin())
		return
	}
	var header http.Header
	if offered := subprotocols(r); len(offered) > 0 {
		if !slices.Contains(offered, protocol.SubProtocol) {
			d.refuse(w, http.StatusBadRequest, &protocol.Error{Code: protocol.Unsupported, Message: "none of the sub-protocols is " + protocol.SubProtocol, Hint: "update the older of client and server"})
			return
		}
		header = http.Header{"Sec-WebSocket-Protocol": {protocol.SubProtocol}}
	}
	if !d.reserve() {
		w.Header().Set("Retry-After", "10")
		d.refuse(w, http.StatusServiceUnavailable, &protocol.Error{Code: protocol.ServerFull, Message: "the server has no room for more connections", Hint: "try again later", Retryable: true})
		return
	}
	token := Token(r)
	socket, err := d.upgrader.Upgrade(w, r, header)
	if err != nil {
		d.release()
		return // Upgrade has answered
	}
	d.open(socket, token)
}

// reserve keeps a place for one more, which open takes or release gives back.
func (d *Door) reserve() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.conns)+d.reserved >= d.cfg.MaxConns {
		return false
	}
	d.reserved++
	return true
}

func (d *Door) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reserved--
}

func (d *Door) open(socket *websocket.Conn, token string) {
	c := newConn(socket, d.cfg)
	d.mu.Lock()
	d.reserved--
	if d.shut {
		d.mu.Unlock()
		c.writeClose(goodbye{code: protocol.CloseGoingAway, text: "the server stops"})
		_ = socket.Close() // it was opened for this word only
		return
	}
	d.conns[c] = struct{}{}
	d.serving.Add(1)
	d.mu.Unlock()
	go func() { // Close waits for it
		defer d.serving.Done()
		go c.write() // c.close waits for it
		d.owner.Serve(c, token)
		why := c.close()
		d.mu.Lock()
		delete(d.conns, c)
		d.mu.Unlock()
		d.owner.Closed(why)
	}()
}

// Len is the number of WebSockets now.
func (d *Door) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// Close says goodbye to all WebSockets and waits until they are gone, which takes closeWait at most. It may be called twice.
func (d *Door) Close() {
	d.mu.Lock()
	d.shut = true
	var all []*Conn
	for c := range d.conns {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		c.Finish(protocol.CloseGoingAway, "the server stops")
	}
	late := time.AfterFunc(closeWait, func() {
		for _, c := range all {
			_ = c.socket.Close()
		}
	})
	defer late.Stop()
	d.serving.Wait()
}
