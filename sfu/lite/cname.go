package lite

// CNAME is the canonical name of what is sent to the peer (RFC 7022), as answers say it.
func (t *Transport) CNAME() string {
	t.negotiating.Lock()
	defer t.negotiating.Unlock()
	return t.agreed.local.CNAME
}
