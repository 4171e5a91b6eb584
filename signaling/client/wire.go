package client

// sendReliable sends a wire message. It fails when there is no wire; the stream sends again what was lost.
func (r *Room) sendReliable(wire []byte) error {
	if !r.opts.SocketData {
		return r.peer.reliable.Send(wire)
	}
	if r.link.socket != nil {
		r.link.socket.writeBinary(wire)
	}
	return nil
}

// sendLossy sends the newest, or nothing.
func (r *Room) sendLossy(wire []byte) {
	if r.opts.SocketData {
		_ = r.sendReliable(wire)
		return
	}
	_ = r.peer.lossy.Send(wire)
}

// helloOverSocket begins a wire on a WebSocket that has just joined or resumed, or on which the one before was closed.
func (r *Room) helloOverSocket() {
	if r.opts.SocketData {
		_ = r.sendReliable(r.stream.hello())
	}
}

// heardBinary takes a binary message of the WebSocket. An empty one says that the wire is closed.
func (r *Room) heardBinary(from *socket, wire []byte) {
	switch {
	case from != r.link.socket:
	case len(wire) == 0:
		r.helloOverSocket()
	default:
		r.heard(wire)
	}
}
