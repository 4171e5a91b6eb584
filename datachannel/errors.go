package datachannel

import "github.com/turnout-rtc/turnout/datachannel/frame"

// Code names the reason why a frame was refused; docs/reference/data.md §7.
type Code string

// The codes.
const (
	CodeMalformed   Code = "data.malformed"
	CodeUnsupported Code = "data.unsupported"
	CodeTooLarge    Code = "data.tooLarge"
	CodeFragment    Code = "data.fragment"
	CodeForbidden   Code = "data.forbidden"
	CodeNoRecipient Code = "data.noRecipient"
	CodeRateLimited Code = "rate.limited"

	CodeDocMalformed    Code = "doc.malformed"
	CodeDocEquivocation Code = "doc.equivocation"
	CodeDocGap          Code = "doc.gap"
	CodeDocReadOnly     Code = "doc.readOnly"
	CodeDocNotOpen      Code = "doc.notOpen"
	CodeDocLimit        Code = "doc.limit"
	CodeStorageFull     Code = "storage.full"
	CodeStorageFailed   Code = "storage.failed"
)

// refusal is the answer to a frame that has had no effect.
type refusal struct {
	code    Code
	message string
}

func refuse(c Code, message string) *refusal { return &refusal{c, message} }

// frame is the refusal as the member gets it; id names what was refused.
func (r *refusal) frame(id uint64) frame.Error {
	hint, retryable := r.code.advice()
	return frame.Error{ID: id, Code: string(r.code), Message: r.message, Hint: hint, Retryable: retryable}
}

// advice says what to do, and whether the same frame may be taken later.
func (c Code) advice() (hint string, retryable bool) {
	switch c {
	case CodeMalformed, CodeFragment:
		return "The client does not follow docs/reference/data.md; update it.", false
	case CodeUnsupported:
		return "Use a client and a server of the same version.", false
	case CodeTooLarge:
		return "Send less at once, or raise the limit in the server's configuration.", false
	case CodeForbidden:
		return "Ask for a token that allows it.", false
	case CodeNoRecipient:
		return "Look at the list of participants, and send again.", true
	case CodeRateLimited:
		return "Send less often, and send again later.", true
	default:
		return c.docAdvice()
	}
}

func (c Code) docAdvice() (hint string, retryable bool) {
	switch c {
	case CodeDocMalformed:
		return "The editor's update is broken; reload the page.", false
	case CodeDocEquivocation:
		return "Two documents use the same Yjs client id; take a new one: reload the page.", false
	case CodeDocGap:
		return "Open the document again, which sends what is missing.", true
	case CodeDocReadOnly:
		return "Ask for a token that allows writing this document.", false
	case CodeDocNotOpen:
		return "Open the document first.", false
	case CodeDocLimit:
		return "Close documents, or raise the limit in the server's configuration.", false
	case CodeStorageFull:
		return "Keep the page open: it is sent again. The operator has to make room on the disk.", true
	case CodeStorageFailed:
		return "Keep the page open: it is sent again.", true
	default:
		return "", false
	}
}
