package protocol

import (
	"encoding/json"
	"fmt"
	"math"
)

// fields reads the members of one JSON object and keeps the first fault. After a fault it returns zero values.
type fields struct {
	path string // for messages: "offer" or "offer.publications[2]"
	m    map[string]json.RawMessage
	err  *Error
}

func malformed(format string, args ...any) *Error {
	return &Error{Code: Malformed, Message: fmt.Sprintf(format, args...), Hint: "see the signaling protocol page"}
}

func (f *fields) fail(name, want string) {
	if f.err == nil {
		f.err = malformed("%s.%s must be %s", f.path, name, want)
	}
}

// get decodes a member into dst. A member that is null counts as left out.
func (f *fields) get(name string, required bool, want string, dst any) bool {
	if f.err != nil {
		return false
	}
	raw, ok := f.m[name]
	if !ok || string(raw) == "null" {
		if required {
			f.fail(name, want)
		}
		return false
	}
	if json.Unmarshal(raw, dst) != nil {
		f.fail(name, want)
		return false
	}
	return true
}

func (f *fields) str(name string, limit int) string {
	var s string
	want := fmt.Sprintf("a string of at most %d bytes", limit)
	if f.get(name, true, want, &s) && len(s) > limit {
		f.fail(name, want)
	}
	return s
}

func (f *fields) optStr(name string, limit int) *string {
	var s string
	want := fmt.Sprintf("a string of at most %d bytes", limit)
	if !f.get(name, false, want, &s) {
		return nil
	}
	if len(s) > limit {
		f.fail(name, want)
	}
	return &s
}

// word reads a publication id or a source.
func (f *fields) word(name string) string {
	const want = "1–32 of [A-Za-z0-9_-]"
	var s string
	if f.get(name, true, want, &s) && !ValidToken32(s) {
		f.fail(name, want)
	}
	return s
}

func (f *fields) integer(name string, required bool, low, high int64) int64 {
	var v float64
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	if !f.get(name, required, want, &v) {
		return 0
	}
	// As float64 first: JavaScript writes 1e3, and what does not fit must not wrap.
	if v != math.Trunc(v) || v < float64(low) || v > float64(high) {
		f.fail(name, want)
		return 0
	}
	return int64(v)
}

func (f *fields) boolean(name string) bool {
	var b bool
	f.get(name, true, "true or false", &b)
	return b
}

func (f *fields) optBool(name string) *bool {
	var b bool
	if !f.get(name, false, "true or false", &b) {
		return nil
	}
	return &b
}

func (f *fields) object(name string) *fields {
	sub := &fields{path: f.path + "." + name}
	f.get(name, true, "an object", &sub.m)
	sub.err = f.err
	return sub
}

// each calls read for every object of a list, until a fault.
func (f *fields) each(name string, read func(*fields)) {
	var list []json.RawMessage
	want := fmt.Sprintf("a list of at most %d objects", maxList)
	if !f.get(name, true, want, &list) {
		return
	}
	if len(list) > maxList {
		f.fail(name, want)
		return
	}
	for i, raw := range list {
		sub := &fields{path: fmt.Sprintf("%s.%s[%d]", f.path, name, i)}
		if json.Unmarshal(raw, &sub.m) != nil || sub.m == nil {
			f.fail(name, want)
			return
		}
		if read(sub); sub.err != nil {
			f.err = sub.err
			return
		}
	}
}

// attributes reads an object of strings. Their number and size are checked where they are merged; here only what would be
// too much by itself.
func (f *fields) attributes(name string) map[string]string {
	want := fmt.Sprintf("an object of at most %d strings, together at most %d bytes", MaxAttributes, MaxAttributeSum)
	var raw map[string]*string
	if !f.get(name, false, want, &raw) {
		return nil
	}
	a := make(Attributes, len(raw))
	for k, v := range raw {
		if v == nil || k == "" {
			f.fail(name, want)
			return nil
		}
		a[k] = *v
	}
	if !a.Fit() {
		f.fail(name, want)
		return nil
	}
	return a
}
