// Scripts that run in a page before the app: they narrow what its RTCPeerConnection may use, and look at what it did use.
import type { VideoCodec } from '@turnout/client';
import './app.js';
import type { Page } from './browser.js';

/** Only relayed candidates, and only through TURN over one transport. */
export function relayOnly(transport: 'udp' | 'tcp' | 'tls'): string {
  const [scheme, over] = transport === 'tls' ? ['turns:', 'tcp'] : ['turn:', transport];
  return `{
    const Native = window.RTCPeerConnection;
    const only = (config = {}) => ({
      ...config,
      iceTransportPolicy: 'relay',
      iceServers: (config.iceServers ?? [])
        .map((s) => ({ ...s, urls: [s.urls].flat().filter((u) => u.startsWith('${scheme}') && u.includes('transport=${over}')) }))
        .filter((s) => s.urls.length > 0),
    });
    window.RTCPeerConnection = class extends Native {
      constructor(config) { super(only(config)); }
      setConfiguration(config) { super.setConfiguration(only(config)); }
    };
  }`;
}

/** No ICE server at all: what is left are the server's own candidates. */
export const withoutServers = `{
  const Native = window.RTCPeerConnection;
  const none = (config = {}) => ({ ...config, iceServers: [] });
  window.RTCPeerConnection = class extends Native {
    constructor(config) { super(none(config)); }
    setConfiguration(config) { super.setConfiguration(none(config)); }
  };
}`;

/** One more ICE server, which tells the page its address on the other side of a NAT. */
export function withSTUN(address: string): string {
  return `{
    const Native = window.RTCPeerConnection;
    const more = (config = {}) => ({ ...config, iceServers: [...(config.iceServers ?? []), { urls: 'stun:${address}' }] });
    window.RTCPeerConnection = class extends Native {
      constructor(config) { super(more(config)); }
      setConfiguration(config) { super.setConfiguration(more(config)); }
    };
  }`;
}

export interface Path {
  type: string;
  protocol: string | undefined;
  relayProtocol: string | undefined;
  srtp: string | undefined;
  /** The server's port. */
  port: number | undefined;
}

/** The candidate pair that the page's connection uses. */
export function path(page: Page): Promise<Path> {
  return page.evaluate(async () => {
    const { raw } = await window.turnout.room.getStats();
    const all = [...(raw as unknown as Map<string, Record<string, string>>).values()];
    const transport = all.find((s) => s.type === 'transport');
    const pair =
      all.find((s) => s.id === transport?.selectedCandidatePairId) ??
      all.find((s) => s.type === 'candidate-pair' && s.state === 'succeeded' && s.nominated);
    const local = all.find((s) => s.id === pair?.localCandidateId);
    const remote = all.find((s) => s.id === pair?.remoteCandidateId);
    return {
      type: local?.candidateType ?? 'none',
      protocol: local?.protocol,
      relayProtocol: local?.relayProtocol,
      srtp: transport?.srtpCipher,
      port: remote && Number(remote.port),
    };
  }, null);
}

/** Publishes the camera again, with a codec that is said by the SDK's option. */
export function publishWith(page: Page, videoCodec: VideoCodec): Promise<void> {
  return page.evaluate(async (codec) => {
    const { local } = window.turnout.room;
    const before = local.publication('camera');
    if (!before) throw new Error('no camera');
    const media = before.track.media.clone();
    await local.unpublish(before);
    await local.publish(media, { source: 'camera', videoCodec: codec });
  }, videoCodec);
}

export interface Received {
  /** The codec of each stream. */
  streams: string[];
  frames: number;
  freezes: number;
  lost: number;
  nacks: number;
  /** Packets that came again by RTX. */
  repaired: number;
}

interface Inbound {
  type: string;
  kind: string;
  codecId: string;
  framesDecoded?: number;
  freezeCount?: number;
  packetsLost?: number;
  nackCount?: number;
  retransmittedPacketsReceived?: number;
}

/** What the page receives of video, summed over all streams that carry some. */
export function receivedVideo(page: Page): Promise<Received> {
  return page.evaluate(async () => {
    const { raw } = await window.turnout.room.getStats();
    const all = raw as unknown as Map<string, Inbound & { mimeType?: string }>;
    const streams = [...all.values()].filter((s) => s.type === 'inbound-rtp' && s.kind === 'video' && (s.framesDecoded ?? 0) > 0);
    const sum = (of: (s: Inbound) => number | undefined): number => streams.reduce((n, s) => n + (of(s) ?? 0), 0);
    return {
      streams: streams.map((s) => all.get(s.codecId)?.mimeType ?? 'none'),
      frames: sum((s) => s.framesDecoded),
      freezes: sum((s) => s.freezeCount),
      lost: sum((s) => s.packetsLost),
      nacks: sum((s) => s.nackCount),
      repaired: sum((s) => s.retransmittedPacketsReceived),
    };
  }, null);
}
