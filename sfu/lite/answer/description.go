// Package answer computes the answer to an SDP offer (RFC 9429, RFC 3264): what the client may send, what is sent to it.
//
// Its nouns: an Offer is what Parse understood of the client's text. Compute decides on it and gives a Description, which
// is all that the media plane needs to know: codecs, payload types, header extensions, layers, slots. Description.SDP
// writes it down for the client.
//
// The rules: the client always offers, with everything in one BUNDLE. Where it wants to send, it may (recvonly here, a
// publication); where it wants to receive, it gets a slot with one SSRC for good (sendonly here). We are the DTLS server, unless
// the client insists on being it (ffmpeg does).
//
// Functions are pure; randomness is an argument. Text that cannot be used is an *Error, never a panic.
package answer

// Description is what was agreed on.
type Description struct {
	ICE          ICE           // the client's
	Fingerprints []Fingerprint // the client's; one of them must match
	Media        []Media       // one per m-line, in order
	Data         *Data         // nil without data channels
	Active       bool          // we are the DTLS client

	slots map[Kind]int // handed out so far, for the names of new ones
}

// ICE credentials of one side (RFC 8839 §5.4).
type ICE struct{ Ufrag, Pwd string }

// Fingerprint of a DTLS certificate (RFC 8122 §5).
type Fingerprint struct {
	Hash  string // "sha-256", "sha-384" or "sha-512"
	Value string // hexadecimal, upper case, with colons
}

// Kind of an m-line.
type Kind string

// The kinds that are not refused.
const (
	Audio       Kind = "audio"
	Video       Kind = "video"
	Application Kind = "application"
)

// Role of an m-line.
type Role string

// The roles.
const (
	Refused     Role = "refused"     // port 0
	Inactive    Role = "inactive"    // neither side sends
	Publication Role = "publication" // the client sends
	Slot        Role = "slot"        // we send
	Channels    Role = "channels"    // SCTP
)

// Media is one m-line.
type Media struct {
	MID        string
	Kind       Kind
	Role       Role
	Codecs     []Codec     // in the client's order
	Extensions []Extension // by ascending ID
	RIDs       []string    // of a Publication in simulcast (RFC 8853), in the client's order
	Sources    []Source    // that the client announced for a Publication; none in simulcast, where rids tell streams apart
	Out        *Out        // of a Slot

	proto       string
	refusedFmt  string // a format to write on a refused m-line
	reducedSize bool   // RFC 5506
	mixed       bool   // extmap-allow-mixed, RFC 8285 §6
	xr          bool   // receiver reference time in XR (RFC 3611 §4.4)
}

// Codec is one payload type, with that of its retransmissions.
type Codec struct {
	PT       uint8
	Name     string // as in the offer: "VP8", "opus"
	Clock    int    // Hz
	Channels int    // 0 if not given
	Params   string // of a=fmtp
	Feedback []string
	RTX      uint8 // payload type of RFC 4588, 0 if none
}

// Extension is an RTP header extension (RFC 8285).
type Extension struct {
	ID  uint8
	URI string

	direction string // as we answer it
}

// Sent says whether we may send it.
func (e *Extension) Sent() bool { return e.direction != "recvonly" }

// Source is an SSRC with that of its retransmissions, 0 if none.
type Source struct{ SSRC, RTX uint32 }

// Out is what we send on a slot.
type Out struct {
	Source
	Name   string // unique in the Description and its successors: "a0", "v3"
	Stream string // the k-th audio slot and the k-th video slot share one, so that they can be shown in sync
}

// Data is the SCTP association of RFC 8841.
type Data struct {
	MID            string
	Port           uint16
	MaxMessageSize uint32 // bytes that the client takes; 0 is any

	legacy bool // the m-line's form before RFC 8841
}

// Find is the m-line with a mid.
func (d *Description) Find(mid string) (*Media, bool) {
	if d == nil {
		return nil, false
	}
	for i := range d.Media {
		if d.Media[i].MID == mid && d.Media[i].Role != Refused {
			return &d.Media[i], true
		}
	}
	return nil, false
}
