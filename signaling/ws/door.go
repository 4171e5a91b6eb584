package ws

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/turnout-rtc/turnout/signaling/places"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Owner is whom a door works for.
type Owner struct {
	// Serve is what ServeHTTP gives to Upgrade, with the token of the request.
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
	gather   *gather
	upgrader websocket.Upgrader
	conns    *places.Places[*Conn, *Conn]
}

// NewDoor makes a door. All functions of owner must be set; Serve only for ServeHTTP.
func NewDoor(cfg Config, owner Owner) *Door {
	return &Door{
		cfg: cfg, owner: owner, gather: newGather(cfg.Gather), conns: places.New[*Conn, *Conn](cfg.MaxConns),
		upgrader: websocket.Upgrader{
			HandshakeTimeout: cfg.Timeout,
			// Most messages are small; writes borrow their buffer, so that an idle WebSocket holds only this one.
			ReadBufferSize: 1024, WriteBufferPool: &sync.Pool{},
			CheckOrigin: func(*http.Request) bool { return true }, // done before, for an answer that says why
		},
	}
}

// ServeHTTP answers GET /ws.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := Token(r)
	d.Upgrade(w, r, func(c *Conn) { d.owner.Serve(c, token) })
}

// Upgrade makes a WebSocket of a request, or refuses it. serve is called from a goroutine of its own; the WebSocket is closed when
// it returns, and it has to read until Read fails. Upgrade returns as soon as the WebSocket is open, which frees what the HTTP
// server holds for a request.
func (d *Door) Upgrade(w http.ResponseWriter, r *http.Request, serve func(*Conn)) {
	if !originAllowed(r, d.cfg.Origins) {
		d.refuse(w, http.StatusForbidden, forbiddenOrigin())
		return
	}
	header, ok := d.choose(subprotocols(r))
	if !ok {
		d.refuse(w, http.StatusBadRequest, &protocol.Error{Code: protocol.Unsupported, Message: "none of the sub-protocols is " + d.cfg.Protocol, Hint: "update the older of client and server"})
		return
	}
	if !d.conns.Reserve() {
		w.Header().Set("Retry-After", "10")
		d.refuse(w, http.StatusServiceUnavailable, &protocol.Error{Code: protocol.ServerFull, Message: "the server has no room for more connections", Hint: "try again later", Retryable: true})
		return
	}
	socket, err := d.upgrader.Upgrade(w, r, header)
	if err != nil {
		d.conns.Release()
		return // Upgrade has answered
	}
	d.open(socket, serve)
}

// choose is the answer to the sub-protocols that a client offers. One has to be chosen, or browsers hang up; where any will do, it
// is better not the one that holds a token.
func (d *Door) choose(offered []string) (http.Header, bool) {
	if len(offered) == 0 {
		return nil, true
	}
	chosen := offered[0]
	for _, p := range offered {
		if d.cfg.Protocol == "" && !strings.HasPrefix(p, protocol.TokenProtocol) {
			chosen = p
			break
		}
	}
	if d.cfg.Protocol != "" {
		if !slices.Contains(offered, d.cfg.Protocol) {
			return nil, false
		}
		chosen = d.cfg.Protocol
	}
	return http.Header{"Sec-WebSocket-Protocol": {chosen}}, true
}

// open has a socket take the place that was reserved for it.
func (d *Door) open(socket *websocket.Conn, serve func(*Conn)) {
	c := newConn(socket, d.cfg, d.gather)
	if !d.conns.Fill(c, c) {
		defer d.conns.Release()
		c.writeClose(goodbye{code: protocol.CloseGoingAway, text: "the server stops"})
		_ = socket.Close() // it was opened for this word only
		return
	}
	go func() { // Close waits for it
		defer d.conns.Leave(c)
		go c.write() // c.close waits for it
		serve(c)
		d.owner.Closed(c.close())
	}()
}

// Len is the number of WebSockets now.
func (d *Door) Len() int { return d.conns.Len() }

// Close says goodbye to all WebSockets and waits until they are gone, which takes closeWait at most. It may be called twice.
func (d *Door) Close() {
	all := d.conns.Shut()
	for _, c := range all {
		c.Finish(protocol.CloseGoingAway, "the server stops")
	}
	late := time.AfterFunc(closeWait, func() {
		for _, c := range all {
			_ = c.socket.Close()
		}
	})
	defer late.Stop()
	<-d.conns.Emptied()
	d.gather.close()
}
