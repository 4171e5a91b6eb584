package yjs

import "strings"

// The tests write their updates by hand.

// insertion is a struct of client at clock that types text behind origin, or at the start of the root "text".
func insertion(client, clock uint64, origin *ID, text string) (uint64, span) {
	s := span{clock: clock, length: utf16Len([]byte(text)), body: []byte(text)}
	if origin != nil {
		s.head = append(s.head, refString|hasOrigin)
		s.head = appendUint(appendUint(s.head, origin.Client), origin.Clock)
	} else {
		s.head = appendBytes(append(s.head, refString, 1), []byte("text"))
	}
	return client, s
}

// typed is an update in which client types text, from clock on, behind what it typed before.
func typed(client, clock uint64, text string) []byte {
	var origin *ID
	if clock > 0 {
		origin = &ID{Client: client, Clock: clock - 1}
	}
	var w writer
	id, s := insertion(client, clock, origin, text)
	w.span(id, s, s.clock, s.end())
	return w.finish()
}

// deleted is an update in which the clocks [start, end) of client are deleted.
func deleted(client, start, end uint64) []byte {
	var w writer
	w.deletion(client, interval{start: start, end: end})
	return w.finish()
}

// raw is an update of one struct of client 1 at clock 0, and nothing deleted.
func raw(structBytes ...byte) []byte {
	return append(append([]byte{1, 1, 1, 0}, structBytes...), 0)
}

// nestedAny is an any value of n arrays inside each other.
func nestedAny(n int) []byte {
	return []byte(strings.Repeat("\x75\x01", n) + "\x7e")
}

// merge is one update that brings what all of them bring together.
func merge(updates ...[]byte) ([]byte, error) {
	var d Doc
	for _, u := range updates {
		if _, err := d.Restore(u); err != nil {
			return nil, err
		}
	}
	return d.Encode(), nil
}
