package frame

// Cut divides the encoded frame b into encoded fragments, each of which fits into a wire message.
func Cut(id uint64, b []byte) [][]byte {
	r := reader{b: b}
	r.number()
	whole := b[r.at:]
	fragments := make([][]byte, 0, len(whole)/FragmentData+1)
	for offset := 0; offset < len(whole); offset += FragmentData {
		data := whole[offset:min(offset+FragmentData, len(whole))]
		fragments = append(fragments, Append(make([]byte, 0, len(data)+FragmentOverhead), Fragment{
			ID: id, Offset: uint64(offset), Total: uint64(len(whole)), Data: data,
		}))
	}
	return fragments
}
