// One RTCPeerConnection: its slots, what it sends, its data channels. What to offer when is decided in media.ts.
import { prefer, type VideoCodec } from './codecs.js';
import type { Candidate, OfferedPublication, SlotOfAnswer, Source } from './protocol.js';

/** A track on its way out. */
export interface Outgoing {
  // Set at construction.
  readonly id: string;
  readonly source: Source;
  readonly kind: 'audio' | 'video';
  readonly maxBitrate: number | undefined;
  readonly videoCodec: VideoCodec | undefined;
  // Owned by the publication.
  media: MediaStreamTrack | null;
  muted: boolean;
}

/** An m-line that sends. */
interface Line {
  readonly kind: 'audio' | 'video';
  readonly codec: VideoCodec | undefined;
  readonly transceiver: RTCRtpTransceiver;
}

export interface TransportEvents {
  candidate(candidate: Candidate): void;
  state(state: RTCPeerConnectionState): void;
}

export class Transport {
  readonly pc: RTCPeerConnection;
  /** Settles when this transport has been closed. */
  readonly gone: Promise<'gone'>;
  #close!: (gone: 'gone') => void;
  readonly #slots: { audio: RTCRtpTransceiver[]; video: RTCRtpTransceiver[] } = { audio: [], video: [] };
  /** By the names the server gave. */
  #named = new Map<string, RTCRtpTransceiver>();
  readonly #sending = new Map<string, Line>();
  /** Those that sent once and may send again. */
  readonly #free: Line[] = [];
  /** The candidates of this ICE generation, to say again after a resume. */
  #candidates: Candidate[] = [];

  constructor(pc: RTCPeerConnection, events: TransportEvents) {
    this.pc = pc;
    this.gone = new Promise((resolve) => (this.#close = resolve));
    pc.onconnectionstatechange = () => events.state(pc.connectionState);
    pc.onicecandidate = ({ candidate }) => {
      const found = candidate ? plain(candidate) : this.#endOfCandidates();
      if (!found) return;
      this.#candidates.push(found);
      events.candidate(found);
    };
  }

  /** Makes the two data channels; again when they were closed. */
  openChannels(): { reliable: RTCDataChannel; lossy: RTCDataChannel } {
    return {
      reliable: this.pc.createDataChannel('turnout.reliable', { ordered: true }),
      lossy: this.pc.createDataChannel('turnout.lossy', { ordered: false, maxRetransmits: 0 }),
    };
  }

  get candidates(): readonly Candidate[] {
    return this.#candidates;
  }

  /** Adds slots up to these totals; they never get fewer. */
  grow(slots: { audio: number; video: number }): void {
    for (const kind of ['audio', 'video'] as const) {
      while (this.#slots[kind].length < slots[kind]) this.#slots[kind].push(this.pc.addTransceiver(kind, { direction: 'recvonly' }));
    }
  }

  /** Makes what is sent equal to what is wanted. Gives the ids that are new. */
  async send(wanted: Iterable<Outgoing>): Promise<string[]> {
    const list = [...wanted];
    for (const [id, line] of this.#sending) if (!list.some((o) => o.id === id)) await this.#release(id, line);
    const added = list.filter((o) => !this.#sending.has(o.id));
    for (const outgoing of added) this.#sending.set(outgoing.id, await this.#line(outgoing));
    return added.map((o) => o.id);
  }

  /** Takes back what send added: the server refused it. */
  async withdraw(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const line = this.#sending.get(id);
      if (line) await this.#release(id, line);
    }
  }

  /** The m-line stays as it is and sends nothing. Were it made inactive, it would come back with an SSRC that pion reads no more. */
  async #release(id: string, line: Line): Promise<void> {
    this.#sending.delete(id);
    await line.transceiver.sender.replaceTrack(null);
    this.#free.push(line);
  }

  /** Shows another track in place of the one that is sent, without an offer. */
  async replaceTrack(id: string, media: MediaStreamTrack | null): Promise<void> {
    await this.sender(id)?.replaceTrack(media);
  }

  async offer(iceRestart: boolean): Promise<string> {
    if (iceRestart) {
      this.#candidates = [];
      this.pc.restartIce();
    }
    await this.pc.setLocalDescription();
    const sdp = this.pc.localDescription?.sdp;
    if (sdp === undefined) throw new Error('no local description');
    return sdp;
  }

  /** Names the m-lines that carry publications, for the offer just made. */
  offered(wanted: Iterable<Outgoing>): OfferedPublication[] {
    const out: OfferedPublication[] = [];
    for (const { id, source, muted } of wanted) {
      const mid = this.#sending.get(id)?.transceiver.mid;
      if (mid) out.push({ mid, id, source, ...(muted && { muted }) });
    }
    return out;
  }

  async accept(sdp: string, slots: readonly SlotOfAnswer[]): Promise<void> {
    await this.pc.setRemoteDescription({ type: 'answer', sdp });
    const byMid = new Map([...this.#slots.audio, ...this.#slots.video].map((t) => [t.mid, t]));
    this.#named = new Map();
    for (const { mid, slot } of slots) {
      const transceiver = byMid.get(mid);
      if (transceiver) this.#named.set(slot, transceiver);
    }
  }

  async rollback(): Promise<void> {
    if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' });
  }

  receiver(slot: string): RTCRtpReceiver | undefined {
    return this.#named.get(slot)?.receiver;
  }

  sender(id: string): RTCRtpSender | undefined {
    return this.#sending.get(id)?.transceiver.sender;
  }

  close(): void {
    this.pc.onconnectionstatechange = this.pc.onicecandidate = null;
    this.pc.close();
    this.#close('gone');
  }

  async #line({ kind, media, maxBitrate, videoCodec }: Outgoing): Promise<Line> {
    const codec = kind === 'video' ? videoCodec : undefined;
    const at = this.#free.findIndex((f) => f.kind === kind && f.codec === codec);
    const free = at < 0 ? undefined : this.#free.splice(at, 1)[0];
    if (free) {
      await free.transceiver.sender.replaceTrack(media);
      await limit(free.transceiver.sender, maxBitrate);
      return free;
    }
    const transceiver = this.pc.addTransceiver(media ?? kind, {
      direction: 'sendonly',
      sendEncodings: [maxBitrate === undefined ? {} : { maxBitrate }],
    });
    if (codec) prefer(transceiver, codec);
    return { kind, codec, transceiver };
  }

  #endOfCandidates(): Candidate | undefined {
    const last = this.#candidates.at(-1);
    return last && last.candidate !== '' ? { ...last, candidate: '' } : undefined;
  }
}

async function limit(sender: RTCRtpSender, maxBitrate: number | undefined): Promise<void> {
  const parameters = sender.getParameters();
  for (const encoding of parameters.encodings) {
    if (maxBitrate === undefined) delete encoding.maxBitrate;
    else encoding.maxBitrate = maxBitrate;
  }
  await sender.setParameters(parameters);
}

function plain(candidate: RTCIceCandidate): Candidate {
  const { candidate: line, sdpMid, sdpMLineIndex, usernameFragment } = candidate;
  return { candidate: line, sdpMid, sdpMLineIndex, usernameFragment };
}
