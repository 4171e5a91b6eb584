package datachannel

import (
	"errors"
	"fmt"

	"github.com/turnout-rtc/turnout/datachannel/yjs"
)

// refuseYjs says to a member why an update or a state vector is not taken.
func refuseYjs(err error) *refusal {
	var malformed *yjs.MalformedError
	var twice *yjs.EquivocationError
	var limit *yjs.LimitError
	switch {
	case errors.As(err, &malformed):
		return refuseMalformed(malformed)
	case errors.As(err, &twice):
		return refuse(CodeDocEquivocation, fmt.Sprintf("Client %d has already written something else at clock %d.", twice.ID.Client, twice.ID.Clock))
	case errors.As(err, &limit):
		return refuseLimit(limit)
	}
	return refuse(CodeDocMalformed, "The document does not take this.")
}

func refuseMalformed(e *yjs.MalformedError) *refusal {
	return refuse(CodeDocMalformed, fmt.Sprintf("The %s is malformed at byte %d: %s (%s).", e.What, e.Offset, e.Fault.Sentence(), e.Fault))
}

func refuseLimit(e *yjs.LimitError) *refusal {
	switch e.Limit {
	case "PendingBytes":
		return refuse(CodeDocGap, "The update begins after what the server has of its client.")
	case "UpdateBytes":
		return refuse(CodeDocLimit, fmt.Sprintf("An update has at most %d bytes.", e.Max))
	case "Clients":
		return refuse(CodeDocLimit, fmt.Sprintf("At most %d Yjs clients write in one document.", e.Max))
	}
	return refuse(CodeDocLimit, fmt.Sprintf("A document takes at most %d bytes.", e.Max))
}

// refuseAwareness says to a member why an awareness update is not taken.
func refuseAwareness(err error) *refusal {
	var limit *yjs.LimitError
	switch {
	case !errors.As(err, &limit):
		return refuseYjs(err)
	case limit.Limit == "StateBytes":
		return refuse(CodeTooLarge, fmt.Sprintf("An awareness state has at most %d bytes.", limit.Max))
	}
	return refuse(CodeTooLarge, fmt.Sprintf("An awareness update has at most %d states.", limit.Max))
}
