package lite

// Again is the last answer once more, "" before the first.
func (t *Transport) Again() string {
	t.negotiating.Lock()
	defer t.negotiating.Unlock()
	if t.agreed.description == nil {
		return ""
	}
	return t.agreed.description.SDP(t.agreed.local)
}
