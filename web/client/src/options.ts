import type { Backoff } from './backoff.js';
import type { VideoCodec } from './codecs.js';
import type { Log, Token } from './signal.js';

export interface RoomOptions {
  /** The server: https://host or wss://host. Room and identity are in the token. */
  url: string;
  /** Left out when a cookie carries it. */
  token?: Token;
  /** Default true: everything published is shown. Without media it is false. */
  autoSubscribe?: boolean;
  /**
   * False: messages, presence and documents only. Nothing is received and no RTCPeerConnection is made until something is published; data
   * goes over the WebSocket. Default true.
   */
  media?: boolean;
  /** What all video is sent with, unless publish says otherwise; where this browser cannot, with what it prefers itself. */
  videoCodec?: VideoCodec;
  reconnect?: Partial<Backoff>;
  rtc?: RTCConfiguration;
  /** Media by TURN only: others do not learn this computer's address. */
  relayOnly?: boolean;
  log?: Log;
}

/** The address of signaling on a server. */
export function socketUrl(server: string): string {
  const at = new URL(server);
  at.protocol = at.protocol === 'http:' || at.protocol === 'ws:' ? 'ws:' : 'wss:';
  at.pathname = `${at.pathname.replace(/\/$/, '')}/ws`;
  at.search = at.hash = '';
  return at.href;
}

export function autoSubscribe(options: RoomOptions): boolean {
  return options.autoSubscribe ?? options.media ?? true;
}
