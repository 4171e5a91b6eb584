// A few numbers out of WebRTC's statistics.

export interface CallStats {
  /** Round trip to the server, ms. */
  rttMs: number | undefined;
  /** Since the call of getStats before. */
  upKbps: number | undefined;
  downKbps: number | undefined;
  candidate: 'host' | 'srflx' | 'prflx' | 'relay' | undefined;
  protocol: 'udp' | 'tcp' | 'tls' | undefined;
  raw: RTCStatsReport;
}

/** Bytes on the wire at a time, to take a rate from. */
export interface Traffic {
  at: number;
  sent: number;
  received: number;
}

interface Transport extends RTCStats {
  selectedCandidatePairId?: string;
  bytesSent?: number;
  bytesReceived?: number;
}

interface LocalCandidate extends RTCStats {
  candidateType?: 'host' | 'srflx' | 'prflx' | 'relay';
  protocol?: 'udp' | 'tcp';
  relayProtocol?: 'udp' | 'tcp' | 'tls';
}

export function callStats(raw: RTCStatsReport, before: Traffic | undefined): { stats: CallStats; traffic: Traffic } {
  const all = new Map<string, RTCStats>();
  raw.forEach((entry: RTCStats) => all.set(entry.id, entry));
  const pair = selected(all);
  const local: LocalCandidate | undefined = pair?.localCandidateId === undefined ? undefined : all.get(pair.localCandidateId);
  const traffic = { at: pair?.timestamp ?? 0, sent: pair?.bytesSent ?? 0, received: pair?.bytesReceived ?? 0 };
  const seconds = before ? (traffic.at - before.at) / 1000 : 0;
  const rate = (now: number, then: number | undefined): number | undefined =>
    then !== undefined && seconds > 0 && now >= then ? ((now - then) * 8) / 1000 / seconds : undefined;
  const stats = {
    rttMs: pair?.currentRoundTripTime === undefined ? undefined : pair.currentRoundTripTime * 1000,
    upKbps: rate(traffic.sent, before?.sent),
    downKbps: rate(traffic.received, before?.received),
    candidate: local?.candidateType,
    protocol: local?.relayProtocol ?? local?.protocol,
    raw,
  };
  return { stats, traffic };
}

type Pair = RTCIceCandidatePairStats & { selected?: boolean };

function selected(all: ReadonlyMap<string, RTCStats>): Pair | undefined {
  const entries = [...all.values()];
  const transport = entries.find((e): e is Transport => e.type === 'transport');
  const id = transport?.selectedCandidatePairId;
  if (id !== undefined) return all.get(id) as Pair | undefined;
  const pairs = entries.filter((e) => e.type === 'candidate-pair') as Pair[];
  // Firefox has no selectedCandidatePairId.
  return pairs.find((p) => p.selected) ?? pairs.find((p) => p.nominated && p.state === 'succeeded');
}
