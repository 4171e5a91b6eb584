package metrics

import "github.com/prometheus/client_golang/prometheus"

type value struct {
	name, help string
	kind       prometheus.ValueType
	from       func(Snapshot) float64
}

// values are the families with one sample.
func values() []value {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	return []value{
		{"turnout_rooms", "Rooms that exist now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Rooms) }},
		{"turnout_participants", "Participants of all rooms now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Participants) }},
		{"turnout_sessions", "Signaling sessions now, connected or waiting to be resumed.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Sessions) }},
		{"turnout_websockets", "Signaling WebSockets open now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.WebSockets) }},
		{"turnout_joins_total", "Participants that joined a room.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Joins) }},
		{"turnout_resumes_total", "Sessions that were resumed on another WebSocket.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Resumes) }},
		{"turnout_visits", "Connections of y-websocket and Hocuspocus clients now that have documents of a room open.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Visits) }},
		{"turnout_visits_total", "Connections of y-websocket and Hocuspocus clients that were let into a room.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Visited) }},
		{"turnout_signaling_messages_total", "Signaling messages received.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Messages) }},

		{"turnout_whip_publishing", "WHIP sessions now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.WHIP.Publishing) }},
		{"turnout_whip_playing", "WHEP sessions now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.WHIP.Playing) }},

		{"turnout_rtc_transports", "Peer connections now.", gauge, func(s Snapshot) float64 { return float64(s.Media.Transports) }},
		{"turnout_rtc_publications", "Tracks published now.", gauge, func(s Snapshot) float64 { return float64(s.Media.Publications) }},
		{"turnout_rtc_subscriptions", "Slots that show a publication now.", gauge, func(s Snapshot) float64 { return float64(s.Media.Subscribed) }},
		{"turnout_rtc_received_packets_total", "RTP packets received.", counter, func(s Snapshot) float64 { return float64(s.Media.PacketsIn) }},
		{"turnout_rtc_sent_packets_total", "RTP packets sent.", counter, func(s Snapshot) float64 { return float64(s.Media.PacketsOut) }},
		{"turnout_rtc_received_bytes_total", "Bytes of RTP received.", counter, func(s Snapshot) float64 { return float64(s.Media.BytesIn) }},
		{"turnout_rtc_sent_bytes_total", "Bytes of RTP sent.", counter, func(s Snapshot) float64 { return float64(s.Media.BytesOut) }},
		{"turnout_rtc_retransmitted_packets_total", "Packets sent once more because a subscriber missed them.", counter, func(s Snapshot) float64 { return float64(s.Media.Retransmitted) }},
		{"turnout_rtc_nacks_total", "Requests for lost packets, received from subscribers.", counter, func(s Snapshot) float64 { return float64(s.Media.NACKs) }},
		{"turnout_rtc_plis_total", "Requests for a key frame, received from subscribers.", counter, func(s Snapshot) float64 { return float64(s.Media.PLIs) }},
		{"turnout_rtc_replays_total", "Times that a newcomer was shown the last key frame and what followed.", counter, func(s Snapshot) float64 { return float64(s.Media.Replays) }},
		{"turnout_rtc_replayed_packets_total", "Packets sent for that.", counter, func(s Snapshot) float64 { return float64(s.Media.Replayed) }},
		{"turnout_rtc_key_frame_requests_total", "Requests for a key frame, sent to publishers.", counter, func(s Snapshot) float64 { return float64(s.Media.KeyFrameRequests) }},
		{"turnout_rtc_asked_again_total", "Lost packets asked of publishers again.", counter, func(s Snapshot) float64 { return float64(s.Media.AskedAgain) }},
		{"turnout_rtc_gso_sockets", "UDP sockets that send many packets as one.", gauge, func(s Snapshot) float64 { return float64(s.Media.GSOSockets) }},
		{"turnout_rtc_gave_up_total", "Times that lost packets of a video were given up; where it is shown, a key frame is asked for.", counter, func(s Snapshot) float64 { return float64(s.Media.GaveUp) }},
		{"turnout_rtc_reports_total", "RTCP of subscribers that told how packets arrived.", counter, func(s Snapshot) float64 { return float64(s.Media.Reports) }},
		{"turnout_rtc_delivered_packets_total", "Packets that subscribers reported as received, where they report each.", counter, func(s Snapshot) float64 { return float64(s.Media.Delivered) }},
		{"turnout_rtc_lost_packets_total", "Packets that subscribers reported as lost, where they report each.", counter, func(s Snapshot) float64 { return float64(s.Media.Lost) }},

		{"turnout_data_members", "Participants with data now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Data.Members) }},
		{"turnout_data_wires", "Data channels and the like open now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Data.Wires) }},
		{"turnout_data_received_total", "Data-channel messages received.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.Received) }},
		{"turnout_data_received_bytes_total", "Bytes of data-channel messages received.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.ReceivedBytes) }},
		{"turnout_data_sent_total", "Data-channel messages sent.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.Sent) }},
		{"turnout_data_sent_bytes_total", "Bytes of data-channel messages sent.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.SentBytes) }},
		{"turnout_data_sent_frames_total", "Frames in the data-channel messages sent.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.SentFrames) }},
		{"turnout_data_accepted_messages_total", "Messages of participants that were taken.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.Messages) }},

		{"turnout_data_documents", "Documents open now.", gauge, func(s Snapshot) float64 { return float64(s.Signaling.Data.Documents) }},
		{"turnout_data_caught_up_total", "Times a y-websocket or Hocuspocus client that had been too slow was sent what it lacks of a document.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.CaughtUp) }},
		{"turnout_data_stored_total", "Document updates that are on disk.", counter, func(s Snapshot) float64 { return float64(s.Signaling.Data.Stored) }},

		{"turnout_store_commits_total", "Transactions of the store of documents, each with an fsync.", counter, func(s Snapshot) float64 { return float64(s.Store.Commits) }},
		{"turnout_store_commit_seconds_total", "Time that transactions have taken.", counter, func(s Snapshot) float64 { return s.Store.CommitTime.Seconds() }},
		{"turnout_store_records_total", "Records that were given to the store.", counter, func(s Snapshot) float64 { return float64(s.Store.Records) }},
		{"turnout_store_compactions_total", "Documents whose log was replaced by a snapshot.", counter, func(s Snapshot) float64 { return float64(s.Store.Compactions) }},
		{"turnout_store_failures_total", "Transactions of the store that failed.", counter, func(s Snapshot) float64 { return float64(s.Store.Failed) }},
		{"turnout_store_busy_total", "Jobs that the store refused because its queue was full.", counter, func(s Snapshot) float64 { return float64(s.Store.Busy) }},
		{"turnout_store_queue", "Jobs that wait for the store now.", gauge, func(s Snapshot) float64 { return float64(s.Store.Queued) }},

		{"turnout_turn_allocations", "TURN allocations now.", gauge, func(s Snapshot) float64 { return float64(s.TURN.Allocations) }},
		{"turnout_turn_allocations_created_total", "TURN allocations made.", counter, func(s Snapshot) float64 { return float64(s.TURN.AllocationsTotal) }},
		{"turnout_turn_allocation_seconds_total", "Time that TURN allocations lived which have ended.", counter, func(s Snapshot) float64 { return s.TURN.AllocationTime.Seconds() }},
		{"turnout_turn_connections", "TCP and TLS connections to the TURN server now.", gauge, func(s Snapshot) float64 { return float64(s.TURN.Connections) }},
		{"turnout_turn_relay_ports_free", "Relay ports that are free now.", gauge, func(s Snapshot) float64 { return float64(s.TURN.RelayPortsFree) }},
		{"turnout_turn_auth_failures_total", "TURN requests with a wrong or old credential.", counter, func(s Snapshot) float64 { return float64(s.TURN.AuthFailed) }},

		{"turnout_turn_handover_clients", "Clients whose data is handed to the SFU in memory now (turn.relay.mode self).", gauge, func(s Snapshot) float64 { return float64(s.Handover.Clients) }},
		{"turnout_turn_handover_dropped_total", "Datagrams of such clients that did not reach the SFU: it was slow, or wants no more clients.", counter, func(s Snapshot) float64 { return float64(s.Handover.Dropped) }},
		{"turnout_tls_undecided_connections", "Connections to the port of HTTPS now of which it is not known what they speak.", gauge, func(s Snapshot) float64 { return float64(s.Front.Undecided) }},
		{"turnout_tls_certificate_expiry_timestamp_seconds", "When the certificate of HTTPS and TURN over TLS expires; 0 without one.", gauge, func(s Snapshot) float64 { return float64(s.CertNotAfter) }},
	}
}

type labelled struct {
	name, help, label string
	kind              prometheus.ValueType
	from              func(Snapshot) map[string]uint64
}

// labels are the families with one sample for each of a fixed small set of labels.
func labels() []labelled {
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	return []labelled{
		{"turnout_turn_transport_allocations", "TURN allocations now, by the client's transport.", "transport", gauge, func(s Snapshot) map[string]uint64 { return unsigned(s.TURN.AllocationsBy) }},
		{"turnout_turn_family_allocations", "TURN allocations now, by the family of the relayed address.", "family", gauge, func(s Snapshot) map[string]uint64 { return unsigned(s.TURN.AllocationsOf) }},
		{"turnout_turn_auth_total", "TURN requests with credentials, by result.", "result", counter, func(s Snapshot) map[string]uint64 { return s.TURN.Auth }},
		{"turnout_joins_refused_total", "Joins refused, by error code.", "code", counter, func(s Snapshot) map[string]uint64 { return s.Signaling.Refused }},
		{"turnout_signaling_errors_total", "Requests refused, by error code.", "code", counter, func(s Snapshot) map[string]uint64 { return s.Signaling.Errors }},
		{"turnout_websockets_closed_total", "WebSockets closed, by close code.", "code", counter, func(s Snapshot) map[string]uint64 { return s.Signaling.Closed }},
		{"turnout_whip_refused_total", "WHIP and WHEP requests refused, by error code.", "code", counter, func(s Snapshot) map[string]uint64 { return s.Signaling.WHIP.Refused }},
		{"turnout_rtc_dropped_total", "Packets dropped, by reason.", "reason", counter, func(s Snapshot) map[string]uint64 { return s.Media.Dropped }},
		{"turnout_data_refused_total", "Data frames refused, by error code.", "code", counter, func(s Snapshot) map[string]uint64 { return byText(s.Signaling.Data.Refused) }},
		{"turnout_data_dropped_total", "Data dropped, by reason.", "reason", counter, func(s Snapshot) map[string]uint64 { return byText(s.Signaling.Data.Dropped) }},
		{"turnout_tls_connections_total", "Connections to the port of HTTPS, by what they speak.", "protocol", counter, func(s Snapshot) map[string]uint64 { return s.Front.Handed }},
		{"turnout_tls_refused_total", "Connections to the port of HTTPS closed before anybody took them, by reason.", "reason", counter, func(s Snapshot) map[string]uint64 { return s.Front.Refused }},
		{"turnout_turn_denied_total", "Peers that TURN refused to relay to, by reason.", "reason", counter, func(s Snapshot) map[string]uint64 { return s.TURN.Denied }},
		{"turnout_turn_refused_total", "TURN requests and connections refused because a limit was reached, by limit.", "limit", counter, func(s Snapshot) map[string]uint64 { return s.TURN.Refused }},
		{"turnout_turn_tls_handshakes_total", "TLS handshakes of the TURN server, by result.", "result", counter, func(s Snapshot) map[string]uint64 { return s.TURN.Handshakes }},
		{"turnout_turn_dropped_total", "Datagrams that TURN dropped, by reason.", "reason", counter, func(s Snapshot) map[string]uint64 { return s.TURN.Dropped }},
		{"turnout_turn_relayed_packets_total", "Datagrams relayed, up from clients or down to them.", "direction", counter, func(s Snapshot) map[string]uint64 {
			return map[string]uint64{"up": s.TURN.Up.Packets, "down": s.TURN.Down.Packets}
		}},
		{"turnout_turn_relayed_bytes_total", "Payload bytes relayed, up from clients or down to them.", "direction", counter, func(s Snapshot) map[string]uint64 {
			return map[string]uint64{"up": s.TURN.Up.Bytes, "down": s.TURN.Down.Bytes}
		}},
	}
}

// unsigned has what is never below zero as such.
func unsigned(m map[string]int64) map[string]uint64 {
	counts := make(map[string]uint64, len(m))
	for k, n := range m {
		counts[k] = uint64(max(n, 0))
	}
	return counts
}

// byText has the labels of another type as text.
func byText[K ~string](m map[K]uint64) map[string]uint64 {
	texts := make(map[string]uint64, len(m))
	for k, n := range m {
		texts[string(k)] = n
	}
	return texts
}
