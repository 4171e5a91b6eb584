// Package datachannel is the data plane: messages on topics, presence, and later documents, between the members of a room.
//
// Its nouns: a Hub is one room's data. A Member is one participant in it. A Conn is one way to reach a member: a data channel,
// later a WebSocket. A Lane says how it carries: Reliable in order, or Lossy.
//
// Bytes that arrive are given to Member.Receive; bytes that leave go through a bounded outbox to the member's Conns. The
// package opens no socket and knows no WebRTC, no signaling and no token: whoever calls it has decided the Grants.
package datachannel
