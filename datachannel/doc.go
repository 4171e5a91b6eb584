// Package datachannel is the data plane: messages on topics, presence, and durable documents, between the members of a room.
//
// Its nouns: a Hub is one room's data. A Member is one participant in it. A Conn is one way to reach a member (a data channel,
// a WebSocket); attached to a member it is a Wire. A Lane says how it carries: Reliable in order, or Lossy. A DocReader is a
// document that a door has open for a client which does not speak the data protocol.
//
// The protocol is docs/reference/data.md. Bytes that arrive are given to Wire.Receive; bytes that leave go through a bounded
// outbox to the member's Conns. Decisions are in the packages below, which are pure: frame, inbox, outbox, presence, log, yjs.
// The hub's loop owns all of a room and drives them; store.Writer owns the disk.
//
// The package opens no socket and knows no WebRTC, no signaling and no token: whoever calls it has decided the Grants.
package datachannel
