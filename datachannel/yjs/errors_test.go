package yjs

import (
	"math"
	"strings"
	"testing"
)

func TestErrorsSayWhatIsWrong(t *testing.T) {
	faults := []Fault{
		Truncated, BadNumber, BadContent, BadCount, BadLength, ClockOverflow, BadReference, BadText, BadJSON, TooDeep,
		RepeatedClient, BadMessage, Trailing,
	}
	sentences := map[string]Fault{}
	for _, f := range faults {
		err := &MalformedError{What: "update", Fault: f, Offset: 7}
		if other, used := sentences[err.Error()]; used || f.Sentence() == string(f) {
			t.Errorf("%s says %q, as %s does", f, err, other)
		}
		sentences[err.Error()] = f
	}
	for err, part := range map[error]string{
		&EquivocationError{ID: ID{Client: 3, Clock: 9}}: "client 3 has already written something else at clock 9",
		&LimitError{Limit: "Bytes", Max: 10}:            "Bytes of 10",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

func TestLimitsAreValidated(t *testing.T) {
	for _, l := range []Limits{{}, {Bytes: 1 << 20, PendingBytes: -1}} {
		if err := l.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, l := range []Limits{{Bytes: -1}, {Clients: -1}, {UpdateBytes: math.MaxInt}} {
		if err := l.Validate(); err == nil {
			t.Errorf("%+v is valid", l)
		}
	}
}
