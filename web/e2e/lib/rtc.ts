// Scripts that run in a page before the app: they narrow what its RTCPeerConnection may use, and look at what it did use.
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

export interface Path {
  type: string;
  protocol: string | undefined;
  relayProtocol: string | undefined;
  srtp: string | undefined;
  /** The server's port. */
  port: number | undefined;
}

interface Support {
  turnout: { room: { getStats(): Promise<{ raw: RTCStatsReport }> } };
}

/** The candidate pair that the page's connection uses. */
export function path(page: Page): Promise<Path> {
  return page.evaluate(async () => {
    const { raw } = await (window as unknown as Support).turnout.room.getStats();
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
