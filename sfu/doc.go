// Package sfu is the media plane: packets in, packets out.
//
// Its nouns: an Engine owns the sockets of one server. A Router is one room's media. A Transport is the server's end of
// one participant's RTCPeerConnection; it carries Publications up and, on its slots, subscriptions down. Data channels are
// handed out as they open; what travels on them is not this package's business.
//
// Calls return at once. What comes of them arrives as an Event on the emit function given to NewTransport. No type of a
// third-party package appears in this API, so that what stands beneath it can change.
//
// A slot is one RTP stream for ever: one SSRC, and numbers, timestamps and picture ids that go on whatever it shows. A
// publication that comes in several simulcast layers is shown in one of them: each slot has a target, by default the highest
// layer that arrives (forward.Choice). Layers within a stream, in time or space, are left out above the target.
//
// What is sent to a subscriber belongs to its lane: a shard.Shard with what those in it work with. A batch of packets is handed
// to a lane once, whatever the number of slots there that it is for.
//
// Sound and picture of one publisher are shown on a pair of slots that clients play in sync, if one is free (assign.Slot.Pair).
//
// The package knows nothing of rooms' members, permissions or signaling: whoever calls it has decided.
package sfu
