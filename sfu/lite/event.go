package lite

// Event is what a Transport tells its owner. It comes from one of the package's goroutines, which holds no lock and must
// not be made to wait; not from within a call. After Close none begins.
type Event interface{ event() }

// StateChanged says that Transport.State may be another. Changes that follow each other quickly may come as one.
type StateChanged struct{}

// ChannelOpened hands over a data channel that the client opened, as soon as it is open there as well, as far as is known.
type ChannelOpened struct{ Channel *Channel }

// ChannelClosed says that a channel handed over before is gone.
type ChannelClosed struct{ Channel *Channel }

func (StateChanged) event()  {}
func (ChannelOpened) event() {}
func (ChannelClosed) event() {}

// State of a Transport, after RTCPeerConnectionState (W3C WebRTC §4.4.3).
type State string

// The states of a Transport.
const (
	New          State = "new"          // nobody has come yet
	Connecting   State = "connecting"   // the peer is there, DTLS is not finished
	Connected    State = "connected"    //
	Disconnected State = "disconnected" // silent for a while; comes back by itself
	Failed       State = "failed"       // silent for so long that nothing may be sent; comes back by itself if the peer does
	Closed       State = "closed"       // by either side, or DTLS failed: Close it and make a new one
)
