// Messages on topics, presence and documents, over whichever wire there is. What outlives a wire is in stream.ts, which wire in wires.ts.
import { Malformed } from './check.js';
import { Documents } from './documents.js';
import { guarded } from './emitter.js';
import { TurnoutError } from './errors.js';
import { type Counted, decode, encode, type FromServer, type Received, type Send, WIRE_BYTES } from './frame.js';
import { type Presence, PresenceMap } from './presence.js';
import type { Link } from './state.js';
import { Stream } from './stream.js';
import { type Socket, type Wire, Wires } from './wires.js';

/** Who is to receive: identities; left out: all others. */
export interface To {
  to?: readonly string[];
}

export interface SendOptions extends To {
  reliable: boolean;
}

export interface DataOptions {
  socket: Socket;
  /** False: data does not wait for a data channel. */
  webRTC: boolean;
  link(state: Link): void;
  /** Asks for other data channels. */
  reopen(): void;
}

interface Sent {
  id: number;
  seq: number;
  resolve(): void;
  reject(error: TurnoutError): void;
}

// An ack may wait for so long; also how often the presence is checked.
const tickMs = 1000;
// The server acknowledges within a second: when nothing at all comes for so long, the wire is dead.
const silentMs = 3000;

export class Data {
  readonly presence: Presence;
  readonly documents: Documents;
  readonly #presence: PresenceMap;
  readonly #wires: Wires;
  readonly #topics = new Map<string, Set<(payload: Uint8Array, from: string) => void>>();
  #stream = new Stream();
  #lastId = 0;
  #sent: Sent[] = [];
  #saidAt = 0;
  /** Since when frames are out and nothing has come back. */
  #waitingSince: number | undefined;
  #ttlMs = Infinity;
  #ticking: ReturnType<typeof setInterval> | undefined;

  constructor(options: DataOptions) {
    this.#wires = new Wires(options.socket, options.webRTC, {
      hello: () => this.#stream.hello(),
      received: (message, wire) => this.#receive(message, wire),
      lost: () => this.#stream.lostWire(),
      drained: () => this.#flush(),
      link: (state) => options.link(state),
      reopen: () => options.reopen(),
    });
    this.presence = this.#presence = new PresenceMap((clock, data) => {
      if (this.#stream.open)
        this.#write(encode({ type: 'presenceSet', clock, present: data !== undefined, data: data ?? new Uint8Array() }));
    });
    this.documents = new Documents({
      nextId: () => ++this.#lastId,
      send: (frame, id) => this.#queue(frame, id),
      open: () => this.#stream.open,
    });
  }

  /** Goes on over these channels, which need not be open yet. */
  channels(reliable: RTCDataChannel, lossy: RTCDataChannel): void {
    this.#start();
    this.#wires.channels(reliable, lossy);
  }

  /** A session goes on over a WebSocket, or the WebSocket is gone. */
  socket(up: boolean): void {
    if (up) this.#start();
    this.#wires.socket(up);
  }

  /** A binary message came on the WebSocket. */
  socketMessage(message: Uint8Array): void {
    this.#wires.socketMessage(message);
  }

  /** Whether the connection underneath the channels is up. */
  media(up: boolean): void {
    this.#wires.media(up);
  }

  /** Settles when the server has the message; a lossy one at once. */
  send(topic: string, payload: Uint8Array, options: SendOptions): Promise<void> {
    const to = options.to ? 1 : 0;
    const identities = options.to ?? [];
    if (!options.reliable) return this.#sendLossy({ type: 'sendLossy', id: 0, topic, to, identities, payload });
    return this.#sendReliable({ type: 'send', id: ++this.#lastId, topic, to, identities, payload });
  }

  on(topic: string, listener: (payload: Uint8Array, from: string) => void): () => void {
    let set = this.#topics.get(topic);
    if (!set) this.#topics.set(topic, (set = new Set()));
    set.add(listener);
    return () => void set.delete(listener);
  }

  /** Bytes that wait to be received by the server. */
  get bufferedAmount(): number {
    return this.#stream.keptBytes;
  }

  close(): void {
    clearInterval(this.#ticking);
    this.#ticking = undefined;
    this.#wires.close();
    const left = new TurnoutError('aborted', 'the room was left');
    for (const sent of this.#takeSent(() => true)) sent.reject(left);
    this.documents.left(left);
    this.#presence.clear();
    this.#stream = new Stream();
    this.#waitingSince = undefined;
  }

  #start(): void {
    this.#ticking ??= setInterval(() => this.#tick(), tickMs);
  }

  #sendReliable(frame: Send<'send'>): Promise<void> {
    const limit = this.#stream.messageBytes;
    if (limit > 0 && frame.payload.length > limit) {
      return Promise.reject(new TurnoutError('data.tooLarge', `a message has at most ${limit} bytes`, { hint: 'send it in parts' }));
    }
    const { id } = frame;
    return new Promise<void>((resolve, reject) => {
      if (this.#queue(frame, id)) this.#sent.push({ id, seq: this.#stream.lastSeq, resolve, reject });
      else
        reject(new TurnoutError('data.backpressure', 'too much waits to be sent', { hint: 'wait for the sends before', retryable: true }));
    });
  }

  /** Keeps a frame until the server has it. False: too much is kept already. */
  #queue(frame: Counted, id: number): boolean {
    if (!this.#stream.send(frame, id)) return false;
    this.#flush();
    return true;
  }

  #sendLossy(frame: Send<'sendLossy'>): Promise<void> {
    const bytes = encode(frame);
    if (bytes.length > WIRE_BYTES) {
      return Promise.reject(
        new TurnoutError('data.tooLarge', 'a lossy message does not fit into one packet', { hint: 'send it reliably' }),
      );
    }
    if (this.#stream.open) this.#wires.writeLossy(bytes);
    return Promise.resolve();
  }

  #write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#wires.write(bytes);
    this.#saidAt = Date.now();
  }

  #flush(): void {
    while (this.#stream.open && this.#wires.ready) {
      const bytes = this.#stream.next();
      if (!bytes) return;
      this.#write(bytes);
      this.#waitingSince ??= Date.now();
    }
  }

  #receive(message: Uint8Array, wire: Wire): void {
    let frames: Received[];
    try {
      frames = decode(message);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return this.#wires.broken(wire);
    }
    // Before the welcome there is nothing but what was meant for a wire that was given up.
    if (!this.#wires.carries(wire) && !(frames[0]?.frame.type === 'welcome' && this.#wires.welcomed(wire))) return;
    this.#waitingSince = undefined;
    for (const received of frames) {
      const frame = this.#stream.receive(received);
      if (frame) this.#take(frame);
    }
    if (this.#stream.unacknowledged) this.#waitingSince = Date.now();
    if (this.#stream.ackDue) this.#write(this.#stream.ack());
  }

  #take(frame: FromServer): void {
    switch (frame.type) {
      case 'welcome':
        return this.#welcome(frame);
      case 'ack':
        this.#stream.acknowledged(frame.received);
        for (const sent of this.#takeSent((s) => s.seq <= frame.received)) sent.resolve();
        return;
      case 'message':
      case 'messageLossy':
        for (const listener of [...(this.#topics.get(frame.topic) ?? [])]) guarded(() => listener(frame.payload, frame.from));
        return;
      case 'error': {
        const error = new TurnoutError(frame.code, frame.message, { hint: frame.hint || undefined, retryable: frame.retryable });
        for (const sent of this.#takeSent((s) => s.id === frame.id)) sent.reject(error);
        return this.documents.refused(frame.id, error);
      }
      case 'presence':
        return this.#presence.received(frame.full, frame.entries);
      case 'docState':
      case 'docChange':
      case 'docAck':
      case 'docAwareness':
      case 'docClosed':
        return this.documents.received(frame);
      case 'gap':
        return this.documents.openAgain();
      case 'fragment':
      case 'unknown':
      case 'malformed':
        return;
      default:
        frame satisfies never;
    }
  }

  #welcome(frame: Extract<FromServer, { type: 'welcome' }>): void {
    this.#ttlMs = frame.presenceTTL;
    const { same, lost } = this.#stream.welcome(frame);
    if (same) for (const sent of this.#takeSent((s) => s.seq <= frame.received)) sent.resolve();
    const gone = new TurnoutError('data.lost', 'the connection was lost before the server had the message', { retryable: true });
    for (const sent of this.#takeSent((s) => s.seq <= lost)) sent.reject(gone);
    for (const sent of this.#sent) sent.seq -= lost;
    this.#presence.welcomed();
    this.documents.welcomed(!same, gone);
    this.#flush();
  }

  #takeSent(which: (sent: Sent) => boolean): Sent[] {
    const taken = this.#sent.filter(which);
    if (taken.length > 0) this.#sent = this.#sent.filter((s) => !which(s));
    return taken;
  }

  #tick(): void {
    if (!this.#stream.open) return;
    const now = Date.now();
    if (now - (this.#waitingSince ?? now) > silentMs) {
      this.#waitingSince = undefined;
      return this.#wires.silent();
    }
    const keepAlive = (this.#presence.present || this.documents.present) && now - this.#saidAt + tickMs > this.#ttlMs / 3;
    if (this.#stream.ackWaits || keepAlive) this.#write(this.#stream.ack());
  }
}
