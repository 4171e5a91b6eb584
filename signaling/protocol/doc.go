// Package protocol is the signaling wire: its messages as types, and the envelope around them.
// docs/reference/signaling.md is the authority; testdata/golden.json holds both to it.
//
// Bytes in, values out: it starts nothing, knows no connection and never reads the clock.
package protocol

// Version is the protocol version that this package speaks.
const Version = 1

// SubProtocol is the WebSocket sub-protocol of Version.
const SubProtocol = "turnout.v1"

// TokenProtocol is the prefix of the sub-protocol that carries an access token.
const TokenProtocol = "access_token_"

// Bounds of single fields, in bytes unless said otherwise.
const (
	MaxIdentity     = 128
	MaxRoom         = 128
	MaxName         = 256
	MaxMetadata     = 16 << 10
	MaxAttributes   = 64       // entries
	MaxAttributeSum = 16 << 10 // keys and values of all entries
	MaxToken        = 96 << 10 // metadata and attributes at their largest, in base64
	maxLabel        = 128      // client name and version, session id and secret
	maxReason       = 512
	maxCandidate    = 4096
	maxMID          = 64
	maxToken32      = 32      // publication ids and sources
	maxList         = 1024    // entries of a list; the room's own limits are tighter
	maxInt          = 1 << 53 // JavaScript's largest exact integer
)
