// Package full is a transport on pion/webrtc's PeerConnection, with full ICE.
//
// Its nouns: a Host owns the sockets of one server and makes Peers. A Peer is the server's end of one RTCPeerConnection. A
// Sender is one slot's outgoing RTP stream, a Track one incoming stream, a Channel a data channel.
//
// It moves packets and SDP. What is forwarded to whom is decided by its caller.
package full
