// What tests need in place of a server and a browser.
import type { ClientFrame, Joined, ParticipantInfo, PublicationInfo, ServerFrame } from '../src/protocol.js';

export function person(identity: string, publications: PublicationInfo[] = []): ParticipantInfo {
  return { sid: `PA_${identity}`, identity, name: identity, metadata: '', attributes: {}, joinedAt: 1, publications };
}

export function joinedAs(identity: string, others: ParticipantInfo[] = [], more: Partial<Joined> = {}): Joined {
  return {
    session: { id: `SE_${identity}`, secret: 's', graceMs: 30_000 },
    room: { name: 'standup' },
    self: person(identity),
    permissions: { publish: true, sources: [], subscribe: true, data: true, admin: false, hidden: false },
    participants: others,
    iceServers: [{ urls: ['stun:192.0.2.1:3478'] }],
    heartbeat: { intervalMs: 5000, timeoutMs: 12_000 },
    slots: { audio: 3, video: 6 },
    limits: { messageBytes: 262_144, publications: 16 },
    server: { version: '0.1.0' },
    ...more,
  };
}

/** A WebSocket whose other end is the test. */
export class FakeSocket {
  onopen: WebSocket['onopen'] = null;
  onmessage: WebSocket['onmessage'] = null;
  onclose: WebSocket['onclose'] = null;
  binaryType: BinaryType = 'blob';
  bufferedAmount = 0;
  readonly sent: ClientFrame[] = [];
  readonly binary: Uint8Array[] = [];
  closedWith: number | undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send: WebSocket['send'] = (data) => {
    if (typeof data === 'string') this.sent.push(JSON.parse(data) as ClientFrame);
    else this.binary.push(data as Uint8Array);
  };

  close(code?: number): void {
    this.closedWith = code;
  }

  open(): void {
    this.onopen?.call(this as unknown as WebSocket, new Event('open'));
  }

  say(frame: ServerFrame | string | Uint8Array): void {
    const data = typeof frame === 'string' ? frame : frame instanceof Uint8Array ? frame.slice().buffer : JSON.stringify(frame);
    this.onmessage?.call(this as unknown as WebSocket, { data } as MessageEvent);
  }

  drop(code = 1006): void {
    this.onclose?.call(this as unknown as WebSocket, { code } as CloseEvent);
  }

  /** The types of what was sent. */
  get types(): string[] {
    return this.sent.map((f) => f.t);
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

class FakeSender {
  encodings: RTCRtpEncodingParameters[] = [{}];
  constructor(public track: unknown) {}
  replaceTrack(track: unknown): Promise<void> {
    this.track = track;
    return Promise.resolve();
  }
  getParameters(): RTCRtpSendParameters {
    return { encodings: this.encodings } as RTCRtpSendParameters;
  }
  setParameters(): Promise<void> {
    return Promise.resolve();
  }
}

export class FakeTransceiver {
  mid: string | null = null;
  stopped = false;
  readonly sender: FakeSender;
  readonly receiver: { track: { kind: string } };
  constructor(
    readonly kind: string,
    public direction: RTCRtpTransceiverDirection,
    track: unknown,
  ) {
    this.sender = new FakeSender(track);
    this.receiver = { track: { kind } };
  }
  stop(): void {
    this.stopped = true;
  }
  preferred: string[] | undefined;
  setCodecPreferences(codecs: { mimeType: string }[]): void {
    this.preferred = codecs.map((c) => c.mimeType);
  }
}

/** An RTCPeerConnection that keeps the rules of offers, and knows no network. */
export class FakePeerConnection {
  onconnectionstatechange: (() => void) | null = null;
  onicecandidate: ((event: { candidate: unknown }) => void) | null = null;
  connectionState: RTCPeerConnectionState = 'new';
  signalingState: RTCSignalingState = 'stable';
  localDescription: { sdp: string } | null = null;
  closed = false;
  restarts = 0;
  #restart = false;
  #generation = 0;
  readonly transceivers: FakeTransceiver[] = [];
  readonly channels: string[] = [];
  /** Made to fail when set. */
  badAnswer = false;

  constructor(public config: RTCConfiguration) {}

  createDataChannel(label: string): RTCDataChannel {
    this.channels.push(label);
    return { readyState: 'connecting', close: () => undefined } as RTCDataChannel;
  }
  addTransceiver(what: string | { kind: string }, init: RTCRtpTransceiverInit = {}): FakeTransceiver {
    const kind = typeof what === 'string' ? what : what.kind;
    const transceiver = new FakeTransceiver(kind, init.direction ?? 'sendrecv', typeof what === 'string' ? null : what);
    this.transceivers.push(transceiver);
    return transceiver;
  }
  restartIce(): void {
    this.#restart = true;
    this.restarts++;
  }
  setConfiguration(config: RTCConfiguration): void {
    this.config = config;
  }
  setLocalDescription(description?: { type: string }): Promise<void> {
    if (this.closed) return Promise.reject(new Error('closed'));
    if (description?.type === 'rollback') {
      this.signalingState = 'stable';
      return Promise.resolve();
    }
    if (this.#restart) this.#generation++;
    this.#restart = false;
    this.signalingState = 'have-local-offer';
    this.transceivers.forEach((t, i) => (t.mid ??= String(i + 1)));
    this.localDescription = {
      sdp: `offer of generation ${this.#generation} with ${this.transceivers.filter((t) => !t.stopped).length} m-lines`,
    };
    return Promise.resolve();
  }
  setRemoteDescription(): Promise<void> {
    if (this.badAnswer || this.signalingState !== 'have-local-offer') return Promise.reject(new Error('no such answer'));
    this.signalingState = 'stable';
    return Promise.resolve();
  }
  getStats(): Promise<RTCStatsReport> {
    return Promise.resolve(new Map() as unknown as RTCStatsReport);
  }
  close(): void {
    this.closed = true;
  }

  becomes(state: RTCPeerConnectionState): void {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
  finds(candidate: string): void {
    this.onicecandidate?.({ candidate: candidate ? { candidate, sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'u' } : null });
  }
}
