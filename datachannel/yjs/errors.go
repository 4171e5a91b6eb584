package yjs

import "fmt"

// Fault names what is wrong with bytes that came from outside. Its values are few and never change, so they serve as labels.
type Fault string

// The faults.
const (
	Truncated      Fault = "truncated"       // the bytes end inside a value
	BadNumber      Fault = "bad_number"      // a number above 2⁵³-1, which JavaScript cannot hold
	BadContent     Fault = "bad_content"     // a content, type or value tag that Yjs does not have
	BadCount       Fault = "bad_count"       // a count that the bytes which follow cannot hold
	BadLength      Fault = "bad_length"      // a struct without length
	ClockOverflow  Fault = "clock_overflow"  // a clock above 2⁵³-1
	BadReference   Fault = "bad_reference"   // an item that names its own client's future as neighbour or parent
	BadText        Fault = "bad_text"        // text that is not UTF-8
	BadJSON        Fault = "bad_json"        // JSON that does not parse
	TooDeep        Fault = "too_deep"        // a value nested deeper than maxDepth
	RepeatedClient Fault = "repeated_client" // one client's structs, or deletions, listed twice
	BadMessage     Fault = "bad_message"     // a message type that the protocol does not have
	Trailing       Fault = "trailing"        // bytes after the end
)

// Sentence says what is wrong, of the bytes as "it".
func (f Fault) Sentence() string {
	switch f {
	case Truncated:
		return "it ends inside a value"
	case BadNumber:
		return "a number is above 2^53-1"
	case BadContent:
		return "a content tag is not one of Yjs' update format V1"
	case BadCount:
		return "a count is larger than the bytes that follow can hold"
	case BadLength:
		return "a struct has no length"
	case ClockOverflow:
		return "a clock is above 2^53-1"
	case BadReference:
		return "an item refers to a later item of its own client"
	case BadText:
		return "a text is not UTF-8"
	case BadJSON:
		return "a JSON value does not parse"
	case TooDeep:
		return "a value is nested too deeply"
	case RepeatedClient:
		return "one client is listed twice"
	case BadMessage:
		return "the message type is not one of sync, awareness, auth and queryAwareness"
	case Trailing:
		return "bytes follow its end"
	}
	return string(f)
}

// MalformedError says that bytes are not what they claim to be. Nothing has changed; sending them again is of no use.
type MalformedError struct {
	What   string // "update", "state vector", "message" or "awareness update"
	Fault  Fault
	Offset int // of the byte at which reading stopped
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("yjs: malformed %s at byte %d: %s", e.What, e.Offset, e.Fault.Sentence())
}

// EquivocationError says that a client's clock is already known with other content. Storing both would let peers diverge
// for ever. Nothing has changed; the author must load the document anew, under a new client id.
type EquivocationError struct {
	ID ID // the first struct that differs
}

func (e *EquivocationError) Error() string {
	return fmt.Sprintf("yjs: client %d has already written something else at clock %d; load the document again", e.ID.Client, e.ID.Clock)
}

// LimitError says that a limit would be exceeded. Nothing has changed.
type LimitError struct {
	Limit string // the field of Limits or AwarenessLimits
	Max   int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("yjs: more than the limit %s of %d", e.Limit, e.Max)
}
