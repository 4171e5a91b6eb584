package client

import (
	"errors"
	"fmt"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// The ends of a Room that are no DisconnectError. Requests that are refused, Join too, return a *protocol.Error.
var (
	ErrLeft = errors.New("client: the room was left")                                        // by Leave or Close
	ErrLost = errors.New("client: the connection was lost and could not be resumed")         // join again
	ErrSlow = errors.New("client: events were not handled fast enough")                      // see Options.QueueEvents
	ErrData = errors.New("client: data is not open, see DataOpened")                         // Send was too early
	ErrFull = errors.New("client: too much data is unacknowledged")                          // Send later
	ErrSize = errors.New("client: the message is larger than the server or the lane allows") // see Room.Send
)

// DisconnectError says why the server ended the session.
type DisconnectError struct {
	Reason    protocol.Reason
	Message   string
	Retryable bool
}

func (e *DisconnectError) Error() string {
	return fmt.Sprintf("client: disconnected, %s: %s", e.Reason, e.Message)
}
