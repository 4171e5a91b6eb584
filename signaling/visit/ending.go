package visit

import (
	"errors"

	"github.com/turnout-rtc/turnout/datachannel"
	"github.com/turnout-rtc/turnout/signaling/protocol"
)

// Ending is why a connection is closed.
type Ending struct {
	Code protocol.CloseCode
	Text string
}

// The close codes that are not those of docs/reference/signaling.md §6. y-websocket's clients do not come back after 4400–4499.
const (
	CloseMalformed   protocol.CloseCode = 4400
	CloseToken       protocol.CloseCode = 4401
	CloseForbidden   protocol.CloseCode = 4403
	CloseNoDocuments protocol.CloseCode = 4404
	CloseTooLarge    protocol.CloseCode = 4413
)

// Refused is the ending for what was refused before a document was open.
func Refused(err error) Ending {
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		return Ending{protocol.CloseInternal, "the server failed"}
	}
	switch fault.Code {
	case protocol.AuthMissing, protocol.AuthInvalid, protocol.AuthExpired:
		return Ending{CloseToken, fault.Message}
	case protocol.AuthForbidden:
		return Ending{CloseForbidden, fault.Message}
	case protocol.Malformed:
		return Ending{CloseMalformed, fault.Message}
	default:
		return Ending{protocol.CloseForRefused(fault.Code), fault.Message}
	}
}

// Failed is the ending for what a document's hub says. Only what cannot get better by connecting again has a code of 4400–4499.
func Failed(code datachannel.Code, text string) Ending {
	text = string(code) + ": " + text
	switch code {
	case datachannel.CodeForbidden:
		return Ending{CloseForbidden, text}
	case datachannel.CodeUnsupported:
		return Ending{CloseNoDocuments, text}
	case datachannel.CodeDocLimit, datachannel.CodeTooLarge:
		return Ending{CloseTooLarge, text}
	case datachannel.CodeMalformed, datachannel.CodeDocMalformed, datachannel.CodeDocEquivocation:
		return Ending{CloseMalformed, text}
	default:
		return Ending{protocol.CloseTryLater, text}
	}
}
