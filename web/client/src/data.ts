// Messages on topics over two data channels. What outlives a channel is in stream.ts.
import { Malformed } from './check.js';
import { TurnoutError } from './errors.js';
import { decode, encode, type FromServer, type Send, type ToServer, WIRE_BYTES } from './frame.js';
import { type Presence, PresenceMap } from './presence.js';
import type { Link } from './state.js';
import { Stream } from './stream.js';

/** Who is to receive: identities; left out: all others. */
export interface To {
  to?: readonly string[];
}

export interface SendOptions extends To {
  reliable: boolean;
}

interface Sent {
  id: number;
  seq: number;
  resolve(): void;
  reject(error: TurnoutError): void;
}

// A channel that has so much unsent gets no more for now; lossy messages are dropped then.
const highWater = 256 << 10;
// An ack may wait for so long; also how often the presence is checked.
const tickMs = 1000;
// A server that closed a channel may close the next one as well.
const reopenMs = 1000;

export class Data {
  readonly presence: Presence;
  readonly #presence: PresenceMap;
  readonly #link: (state: Link) => void;
  /** Asks for other channels. */
  readonly #reopen: () => void;
  readonly #stream = new Stream();
  readonly #topics = new Map<string, Set<(payload: Uint8Array, from: string) => void>>();
  #reliable: RTCDataChannel | undefined;
  #lossy: RTCDataChannel | undefined;
  #lastId = 0;
  #sent: Sent[] = [];
  #saidAt = 0;
  #ttlMs = Infinity;
  #ticking: ReturnType<typeof setInterval> | undefined;
  #reopening: ReturnType<typeof setTimeout> | undefined;

  constructor(link: (state: Link) => void, reopen: () => void) {
    this.#link = link;
    this.#reopen = reopen;
    this.presence = this.#presence = new PresenceMap((clock, data) => {
      this.#say({ type: 'presenceSet', clock, present: data !== undefined, data: data ?? new Uint8Array() });
    });
  }

  /** Goes on over these channels, which need not be open yet. */
  channels(reliable: RTCDataChannel, lossy: RTCDataChannel): void {
    this.#leaveWires();
    this.#link('connecting');
    [this.#reliable, this.#lossy] = [reliable, lossy];
    for (const channel of [reliable, lossy]) {
      channel.binaryType = 'arraybuffer';
      channel.onmessage = (event: MessageEvent<unknown>) => {
        if (event.data instanceof ArrayBuffer) this.#receive(new Uint8Array(event.data), channel);
      };
    }
    reliable.bufferedAmountLowThreshold = highWater / 4;
    reliable.onbufferedamountlow = () => this.#flush();
    reliable.onopen = () => this.#write(this.#stream.hello());
    reliable.onclose = () => {
      this.#stream.lostWire();
      this.#link('down');
      this.#reopening = setTimeout(this.#reopen, reopenMs);
    };
    this.#ticking = setInterval(() => this.#tick(), tickMs);
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
    this.#leaveWires();
    for (const sent of this.#takeSent(() => true)) sent.reject(new TurnoutError('aborted', 'the room was left'));
    this.#presence.clear();
  }

  #leaveWires(): void {
    clearInterval(this.#ticking);
    clearTimeout(this.#reopening);
    this.#stream.lostWire();
    for (const channel of [this.#reliable, this.#lossy]) {
      if (channel) channel.onopen = channel.onclose = channel.onmessage = channel.onbufferedamountlow = null;
    }
    this.#reliable = this.#lossy = undefined;
  }

  #sendReliable(frame: Send): Promise<void> {
    const limit = this.#stream.messageBytes;
    if (limit > 0 && frame.payload.length > limit) {
      return Promise.reject(new TurnoutError('data.tooLarge', `a message has at most ${limit} bytes`, { hint: 'send it in parts' }));
    }
    if (!this.#stream.send(frame)) {
      return Promise.reject(
        new TurnoutError('data.backpressure', 'too much waits to be sent', { hint: 'wait for the sends before', retryable: true }),
      );
    }
    const { id } = frame;
    const sent = new Promise<void>((resolve, reject) => this.#sent.push({ id, seq: this.#stream.lastSeq, resolve, reject }));
    this.#flush();
    return sent;
  }

  #sendLossy(frame: Send): Promise<void> {
    const bytes = encode(frame);
    if (bytes.length > WIRE_BYTES) {
      return Promise.reject(
        new TurnoutError('data.tooLarge', 'a lossy message does not fit into one packet', { hint: 'send it reliably' }),
      );
    }
    const channel = this.#lossy?.readyState === 'open' ? this.#lossy : this.#reliable;
    if (this.#stream.open && channel && channel.bufferedAmount < highWater) this.#write(bytes, channel);
    return Promise.resolve();
  }

  #say(frame: ToServer): void {
    if (this.#stream.open) this.#write(encode(frame));
  }

  #write(bytes: Uint8Array<ArrayBuffer>, channel = this.#reliable): void {
    if (channel?.readyState !== 'open') return;
    channel.send(bytes);
    this.#saidAt = Date.now();
  }

  #flush(): void {
    while (this.#reliable?.readyState === 'open' && this.#reliable.bufferedAmount < highWater) {
      const bytes = this.#stream.next();
      if (!bytes) return;
      this.#write(bytes);
    }
  }

  #receive(message: Uint8Array, channel: RTCDataChannel): void {
    try {
      for (const received of decode(message)) {
        const frame = this.#stream.receive(received);
        if (frame) this.#take(frame);
      }
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      return channel.close(); // frames can no longer be counted
    }
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
        for (const listener of [...(this.#topics.get(frame.topic) ?? [])]) listener(frame.payload, frame.from);
        return;
      case 'error': {
        const error = new TurnoutError(frame.code, frame.message, { hint: frame.hint || undefined, retryable: frame.retryable });
        for (const sent of this.#takeSent((s) => s.id === frame.id)) sent.reject(error);
        return;
      }
      case 'presence':
        return this.#presence.received(frame.full, frame.entries);
      case 'gap':
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
    this.#presence.welcomed(!same);
    this.#link('up');
    this.#flush();
  }

  #takeSent(which: (sent: Sent) => boolean): Sent[] {
    const taken = this.#sent.filter(which);
    if (taken.length > 0) this.#sent = this.#sent.filter((s) => !which(s));
    return taken;
  }

  #tick(): void {
    if (!this.#stream.open) return;
    const silent = Date.now() - this.#saidAt;
    const keepAlive = this.#presence.present && silent + tickMs > this.#ttlMs / 3;
    if (this.#stream.ackWaits || keepAlive) this.#write(this.#stream.ack());
  }
}
