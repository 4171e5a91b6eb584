// The media of one participant: keeps one Transport in agreement with the server, and makes another when it cannot be mended.
import { asTurnoutError, TurnoutError } from './errors.js';
import { Negotiation, type Offer } from './negotiation.js';
import { type Outgoing, Transport } from './transport.js';
import type { Candidate, IceServer, Joined, Post, Request, ServerMessage } from './protocol.js';
import type { Link } from './state.js';

/** What media needs of the signaling connection. */
export interface MediaSignal {
  /** Whether requests are on their way, and do not wait for a resume. */
  up(): boolean;
  request(request: Extract<Request, { t: 'offer' | 'unpublish' }>): Promise<ServerMessage>;
  post(post: Post): void;
}

export interface MediaEvents {
  link(state: Link): void;
  /** There are other slots, or another connection behind them. */
  slotsChanged(): void;
  /** A new connection with data channels that are not open yet. */
  channels(reliable: RTCDataChannel, lossy: RTCDataChannel): void;
  error(error: TurnoutError): void;
}

export interface MediaOptions {
  createConnection: (config: RTCConfiguration) => RTCPeerConnection;
  config: RTCConfiguration;
  /** Makes no connection before something is published. */
  idle: boolean;
}

interface Waiter {
  resolve(): void;
  reject(error: TurnoutError): void;
}

// An answer that has not come while the connection is up was lost: the same offer is sent again.
const answerMs = 10_000;
// ICE recovers from short losses by itself.
const disconnectedMs = 3000;
// How often an ICE restart is tried before another RTCPeerConnection.
const restarts = 2;
const mendMs = 1000;

export class Media {
  readonly #signal: MediaSignal;
  readonly #options: MediaOptions;
  readonly #events: MediaEvents;
  readonly #negotiation = new Negotiation();
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #publishing = new Map<string, Waiter>();
  #iceServers: IceServer[] = [];
  #transport: Transport | undefined;
  /** Transports whose loop runs; only the current one goes on. */
  readonly #running = new WeakSet<Transport>();
  #readyRev = 0;
  #joined = false;
  #restarts = 0;
  #mend: ReturnType<typeof setTimeout> | undefined;

  constructor(signal: MediaSignal, options: MediaOptions, events: MediaEvents) {
    this.#signal = signal;
    this.#options = options;
    this.#events = events;
  }

  /** A session has begun: makes the first offer. What was published before is published again. */
  joined(joined: Joined): void {
    this.#iceServers = joined.iceServers;
    this.#negotiation.joined(joined.slots);
    this.#readyRev = 0;
    this.#joined = true;
    if (this.#options.idle && this.#outgoing.size === 0) this.#drop();
    else this.#makeTransport();
  }

  /** The session goes on over another WebSocket: says again what has no reply and may have been lost. */
  resumed(): void {
    if (!this.#transport) return;
    if (this.#readyRev > 0) this.#signal.post({ t: 'ready', d: { rev: this.#readyRev } });
    for (const d of this.#transport.candidates) this.#signal.post({ t: 'candidate', d });
  }

  networkChanged(): void {
    if (!this.#transport) return;
    this.#negotiation.wantIceRestart();
    this.#wake();
  }

  message(message: ServerMessage): void {
    switch (message.t) {
      case 'slots':
        if (this.#negotiation.wantSlots(message.d)) this.#wake();
        return;
      case 'needOffer':
        if (message.d.reason === 'newTransport') return this.#newTransport();
        this.#negotiation.wantIceRestart();
        return this.#wake();
      case 'iceServers':
        this.#iceServers = message.d.iceServers;
        this.#transport?.pc.setConfiguration(this.#config());
        return;
      default:
    }
  }

  /** Makes data channels, in place of ones that were closed. */
  openChannels(): void {
    if (!this.#transport) return;
    const { reliable, lossy } = this.#transport.openChannels();
    this.#events.channels(reliable, lossy);
  }

  /** Settles when the server has taken the publication. */
  publish(outgoing: Outgoing): Promise<void> {
    this.#outgoing.set(outgoing.id, outgoing);
    const published = new Promise<void>((resolve, reject) => this.#publishing.set(outgoing.id, { resolve, reject }));
    this.#negotiation.want();
    if (this.#joined && !this.#transport) this.#makeTransport();
    this.#wake();
    return published;
  }

  async unpublish(id: string): Promise<void> {
    if (!this.#outgoing.delete(id)) return;
    this.#publishing.get(id)?.reject(new TurnoutError('aborted', 'unpublished before it was published'));
    this.#publishing.delete(id);
    await this.#transport?.replaceTrack(id, null);
    await this.#signal.request({ t: 'unpublish', d: { id } }).catch(() => undefined); // it is gone either way
  }

  async replaceTrack(id: string, media: MediaStreamTrack | null): Promise<void> {
    await this.#transport?.replaceTrack(id, media);
  }

  receiver(slot: string): RTCRtpReceiver | undefined {
    return this.#transport?.receiver(slot);
  }

  getStats(): Promise<RTCStatsReport> | undefined {
    return this.#transport?.pc.getStats();
  }

  close(): void {
    this.#joined = false;
    this.#drop();
    this.#outgoing.clear();
    const closed = new TurnoutError('aborted', 'the room was left');
    for (const waiter of this.#publishing.values()) waiter.reject(closed);
    this.#publishing.clear();
  }

  #config(): RTCConfiguration {
    return { bundlePolicy: 'max-bundle', ...this.#options.config, iceServers: this.#iceServers };
  }

  #drop(): void {
    clearTimeout(this.#mend);
    this.#transport?.close();
    this.#transport = undefined;
  }

  #newTransport(): void {
    this.#negotiation.newTransport();
    this.#makeTransport();
  }

  #makeTransport(): void {
    this.#drop();
    this.#restarts = 0;
    const transport: Transport = new Transport(this.#options.createConnection(this.#config()), {
      candidate: (d: Candidate) => this.#signal.post({ t: 'candidate', d }),
      state: (state) => this.#connection(transport, state),
    });
    this.#transport = transport;
    this.#events.link('connecting');
    this.openChannels();
    this.#wake();
  }

  #wake(): void {
    const transport = this.#transport;
    if (!transport || this.#running.has(transport)) return;
    this.#running.add(transport);
    void this.#run(transport);
  }

  async #run(transport: Transport): Promise<void> {
    try {
      for (let offer; this.#transport === transport && (offer = this.#negotiation.next());) await this.#exchange(transport, offer);
    } finally {
      this.#running.delete(transport);
    }
  }

  async #exchange(transport: Transport, offer: Offer): Promise<void> {
    let added: string[] = [];
    let answered = false;
    try {
      transport.grow(this.#negotiation.slots);
      const wanted = [...this.#outgoing.values()];
      added = await transport.send(wanted);
      const sdp = await transport.offer(offer.iceRestart);
      if (this.#transport !== transport) return;
      // What was unpublished since must not come back.
      const publications = transport.offered(wanted.filter(({ id }) => this.#outgoing.has(id)));
      const reply = await this.#ask(transport, { t: 'offer', d: { transport: offer.transport, rev: offer.rev, sdp, publications } });
      if (this.#transport !== transport || !reply) return;
      answered = true;
      if (reply.t !== 'answer' || !this.#negotiation.expects(reply.d)) throw new Error(`${reply.t} is no answer to offer ${offer.rev}`);
      await transport.accept(reply.d.sdp, reply.d.slots);
      this.#applied(
        transport,
        offer.rev,
        publications.map((p) => p.id),
      );
    } catch (error) {
      if (this.#transport !== transport) return;
      const failure = asTurnoutError(error, 'media.failed');
      if (!answered) return this.#refused(transport, offer, added, failure);
      // The server has carried out what this side cannot: begin again.
      this.#events.error(failure);
      this.#later(transport, () => this.#newTransport());
    }
  }

  #applied(transport: Transport, rev: number, published: string[]): void {
    this.#readyRev = rev;
    this.#signal.post({ t: 'ready', d: { rev } });
    this.#negotiation.applied(rev);
    for (const id of published) {
      this.#publishing.get(id)?.resolve();
      this.#publishing.delete(id);
      // The track may have been replaced while the offer was made.
      const outgoing = this.#outgoing.get(id);
      if (outgoing && transport.sender(id)?.track !== outgoing.media) void transport.replaceTrack(id, outgoing.media);
    }
    this.#events.slotsChanged();
  }

  /** Asks until there is a reply; nothing when the transport has been replaced meanwhile. */
  async #ask(transport: Transport, request: Extract<Request, { t: 'offer' }>): Promise<ServerMessage | undefined> {
    let asked = this.#signal.request(request);
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, answerMs, 'late')));
      try {
        const reply = await Promise.race([asked, late, transport.gone]);
        if (reply === 'gone') return undefined;
        if (reply !== 'late') return reply;
      } finally {
        clearTimeout(timer);
        asked.catch(() => undefined); // whoever is late has nobody to tell
      }
      if (this.#signal.up()) asked = this.#signal.request(request);
    }
  }

  async #refused(transport: Transport, offer: Offer, added: readonly string[], error: TurnoutError): Promise<void> {
    // The next session begins with an offer of its own.
    if (error.code === 'session.gone' || error.code === 'state.notConnected') return;
    try {
      await transport.rollback();
    } catch {
      return this.#newTransport();
    }
    this.#events.error(error);
    const refused = added.filter((id) => this.#publishing.has(id));
    if (refused.length === 0) {
      this.#negotiation.refused(offer.rev, false);
      if (error.retryable) this.#later(transport, () => this.#negotiation.want());
      return;
    }
    await transport.withdraw(added);
    for (const id of refused) {
      this.#outgoing.delete(id);
      this.#publishing.get(id)?.reject(error);
      this.#publishing.delete(id);
    }
    this.#negotiation.refused(offer.rev, true);
  }

  #connection(transport: Transport, state: RTCPeerConnectionState): void {
    if (this.#transport !== transport) return;
    clearTimeout(this.#mend);
    switch (state) {
      case 'connected':
        this.#restarts = 0;
        return this.#events.link('up');
      case 'disconnected':
        this.#later(transport, () => this.#negotiation.wantIceRestart(), disconnectedMs);
        return this.#events.link('connecting');
      case 'failed':
        this.#events.link('down');
        if (this.#restarts++ < restarts) {
          this.#negotiation.wantIceRestart();
          return this.#wake();
        }
        return this.#later(transport, () => this.#newTransport());
      default:
        return this.#events.link('connecting');
    }
  }

  #later(transport: Transport, mend: () => void, ms = mendMs): void {
    clearTimeout(this.#mend);
    this.#mend = setTimeout(() => {
      if (this.#transport !== transport) return;
      mend();
      this.#wake();
    }, ms);
  }
}
