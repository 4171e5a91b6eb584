// Which wire carries the reliable lane: a data channel when there is one, else the WebSocket. docs/reference/data.md §1.
import type { Link } from './state.js';

/** One way to reach the server. */
export interface Wire {
  readonly kind: 'channel' | 'socket';
  /** Bytes that the browser has not sent yet. */
  readonly bufferedAmount: number;
  send(message: Uint8Array<ArrayBuffer>): void;
}

/** The WebSocket's side of it. What is sent while it is not up is lost. */
export type Socket = Omit<Wire, 'kind'>;

export interface WiresEvents {
  /** The first message on a new wire. */
  hello(): Uint8Array<ArrayBuffer>;
  received(message: Uint8Array, wire: Wire): void;
  /** The wire that carried carries no more. */
  lost(): void;
  /** There is room again. */
  drained(): void;
  link(state: Link): void;
  /** Asks for other data channels; without an RTCPeerConnection there are none. */
  reopen(): void;
}

// A wire that has so much unsent gets no more for now; lossy messages are dropped then.
const highWater = 256 << 10;
// A WebSocket does not tell when it has sent what it was given.
const drainMs = 50;
// How long data waits for a data channel before it takes the WebSocket.
const patienceMs = 2000;
// A channel on which hello is not answered in this time does not work; nor does the WebSocket when there is a channel instead.
const answerMs = 3000;
// Without one, a WebSocket that is dead is noticed by its heartbeat; this is for a hello that was overtaken.
const socketAnswerMs = 12_000;
// Channels that did not work are tried again after 1, 2, 4 … 30 s.
const reopenMs = 1000;
const reopenMaxMs = 30_000;
/** "This wire is closed", on the WebSocket, which itself stays open. */
const closed = new Uint8Array(0);

type Timer = ReturnType<typeof setTimeout> | undefined;

export class Wires {
  readonly #events: WiresEvents;
  readonly #socket: Wire;
  readonly #patienceMs: number;
  #socketUp = false;
  /** Hello was said on the WebSocket, and not yet that the wire is closed. */
  #socketOpen = false;
  /** Hellos on this WebSocket that were given up; their welcomes may still come. */
  #givenUp = 0;
  /** A welcome has come since the last hello and was taken for one of those. */
  #skipped = false;
  #channels: { wire: Wire; reliable: RTCDataChannel; lossy: RTCDataChannel } | undefined;
  /** The wire that was welcomed, and carries. */
  #current: Wire | undefined;
  /** The wire on which hello was said. Only one is asked at a time, so that both sides agree which is the newest. */
  #asking: Wire | undefined;
  /** The time for a data channel to open is over. */
  #overdue = false;
  #failures = 0;
  #waiting: Timer;
  #answer: Timer;
  #reopening: Timer;
  #draining: Timer;
  #told: Link = 'down';

  /** webRTC false: the WebSocket is not to wait for a data channel. */
  constructor(socket: Socket, webRTC: boolean, events: WiresEvents) {
    this.#events = events;
    this.#patienceMs = webRTC ? patienceMs : 0;
    this.#socket = {
      kind: 'socket',
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      send: (message) => socket.send(message),
    };
  }

  /** Goes on over these channels once they are open. */
  channels(reliable: RTCDataChannel, lossy: RTCDataChannel): void {
    this.#dropChannels();
    clearTimeout(this.#reopening);
    const wire: Wire = {
      kind: 'channel',
      get bufferedAmount() {
        return reliable.bufferedAmount;
      },
      send: (message) => {
        if (reliable.readyState === 'open') reliable.send(message);
      },
    };
    this.#channels = { wire, reliable, lossy };
    for (const channel of [reliable, lossy]) {
      channel.binaryType = 'arraybuffer';
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (data instanceof ArrayBuffer) this.#events.received(new Uint8Array(data), wire);
      };
    }
    reliable.bufferedAmountLowThreshold = highWater / 4;
    reliable.onbufferedamountlow = () => this.#events.drained();
    reliable.onopen = () => this.#next();
    reliable.onclose = () => this.#channelFailed();
    if (!this.#current && !this.#overdue) this.#wait();
    this.#tell();
  }

  /** A session goes on over a WebSocket, or the WebSocket is gone. */
  socket(up: boolean): void {
    this.#socketUp = up;
    this.#socketOpen = false;
    this.#givenUp = 0;
    this.#lose(this.#socket);
    if (up && !this.#current && !this.#overdue) this.#wait();
    this.#next();
    this.#tell();
  }

  socketMessage(message: Uint8Array): void {
    if (message.length > 0) return this.#events.received(message, this.#socket);
    // The end of a wire that was given up comes before the next one's welcome.
    if (this.#current !== this.#socket) return;
    this.#socketOpen = false;
    this.#lose(this.#socket);
    this.#next();
  }

  /** Whether media gets through: what is underneath the channels. */
  media(up: boolean): void {
    if (!up) {
      if (this.#current?.kind === 'channel') this.#wait();
      return;
    }
    if (this.#current?.kind === 'channel') this.#stopWaiting();
    this.#failures = 0;
    if (this.#current === this.#socket && !this.#channels) this.#events.reopen();
  }

  /** The server says nothing on the wire that carries, and should. */
  silent(): void {
    if (this.#current?.kind === 'channel' && this.#socketUp) this.#fallBack();
  }

  /** What came cannot be understood: frames can no longer be counted. */
  broken(wire: Wire): void {
    if (wire.kind === 'channel') return this.#channelFailed();
    if (this.#current !== wire) return;
    this.#closeSocket();
    this.#lose(wire);
    this.#next();
  }

  carries(wire: Wire): boolean {
    return this.#current === wire;
  }

  /** A welcome came. True: it is the answer to the last hello, and the wire carries from now on. */
  welcomed(wire: Wire): boolean {
    if (wire === this.#socket && this.#givenUp > 0) {
      this.#givenUp--;
      this.#skipped = true;
      return false;
    }
    if (this.#asking !== wire) return false;
    clearTimeout(this.#answer);
    this.#stopWaiting();
    if (this.#current === this.#socket) this.#closeSocket();
    this.#current = wire;
    this.#asking = undefined;
    if (wire.kind === 'channel') {
      this.#overdue = false;
      this.#failures = 0;
    } else this.#next();
    this.#tell();
    return true;
  }

  /** Whether a message may be given to write now. When not, drained follows. */
  get ready(): boolean {
    const wire = this.#current;
    if (!wire) return false;
    if (wire.bufferedAmount < highWater) return true;
    if (wire === this.#socket) this.#drain();
    return false;
  }

  write(message: Uint8Array<ArrayBuffer>): void {
    this.#current?.send(message);
  }

  /** Writes what may be lost, or drops it. */
  writeLossy(message: Uint8Array<ArrayBuffer>): void {
    const lossy = this.#channels?.lossy;
    if (this.#current?.kind === 'channel' && lossy?.readyState === 'open') {
      if (lossy.bufferedAmount < highWater) lossy.send(message);
    } else if (this.ready) this.write(message);
  }

  close(): void {
    this.#socketUp = this.#overdue = false;
    this.#dropChannels();
    this.#lose(this.#socket);
    this.#stopWaiting();
    for (const timer of [this.#answer, this.#reopening, this.#draining]) clearTimeout(timer);
    this.#draining = undefined;
    this.#tell();
  }

  #wait(): void {
    this.#waiting ??= setTimeout(() => this.#fallBack(), this.#patienceMs);
  }

  #stopWaiting(): void {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }

  #fallBack(): void {
    this.#stopWaiting();
    this.#overdue = true;
    if (this.#current?.kind === 'channel') {
      if (!this.#socketUp) return;
      this.#failChannels();
    }
    this.#next();
    this.#tell();
  }

  /** Says hello where that is worth a try. */
  #next(): void {
    const channel = this.#channels?.reliable.readyState === 'open' ? this.#channels.wire : undefined;
    if (this.#asking) {
      if (channel && this.#asking === this.#socket) this.#expect(answerMs);
    } else if (channel && this.#current !== channel) this.#ask(channel);
    else if (!channel && !this.#current && this.#socketUp && this.#overdue) this.#ask(this.#socket);
  }

  #ask(wire: Wire): void {
    this.#asking = wire;
    this.#skipped = false;
    this.#expect(wire === this.#socket ? socketAnswerMs : answerMs);
    this.#tell();
    if (wire === this.#socket) {
      this.#closeSocket();
      this.#socketOpen = true;
    }
    wire.send(this.#events.hello());
  }

  #expect(ms: number): void {
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.#unanswered(), ms);
  }

  #closeSocket(): void {
    if (this.#socketOpen) this.#socket.send(closed);
    this.#socketOpen = false;
  }

  #unanswered(): void {
    if (this.#asking === this.#socket) {
      // Some hellos have no answer: then the welcome that was skipped was not one of theirs.
      if (!this.#skipped) this.#givenUp++;
      this.#asking = undefined;
    } else this.#failChannels();
    this.#overdue = true;
    this.#next();
    this.#tell();
  }

  #channelFailed(): void {
    const carried = this.#current?.kind === 'channel';
    this.#failChannels();
    if (carried) this.#wait();
    else this.#next();
    this.#tell();
  }

  /** These channels do not work; others may, later. */
  #failChannels(): void {
    // The server may have heard the hello, and taken the channel for the newest wire.
    const asked = this.#asking?.kind === 'channel';
    this.#dropChannels();
    if (asked && this.#current === this.#socket) {
      this.#closeSocket();
      this.#lose(this.#socket);
    }
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => this.#events.reopen(), Math.min(reopenMaxMs, reopenMs * 2 ** this.#failures++));
  }

  #dropChannels(): void {
    const channels = this.#channels;
    if (!channels) return;
    this.#channels = undefined;
    for (const channel of [channels.reliable, channels.lossy]) {
      channel.onopen = channel.onclose = channel.onmessage = channel.onbufferedamountlow = null;
      channel.close();
    }
    this.#lose(channels.wire);
  }

  #lose(wire: Wire): void {
    if (this.#asking === wire) {
      this.#asking = undefined;
      clearTimeout(this.#answer);
    }
    if (this.#current !== wire) return;
    this.#current = undefined;
    this.#events.lost();
  }

  #drain(): void {
    this.#draining ??= setTimeout(() => {
      this.#draining = undefined;
      this.#events.drained();
    }, drainMs);
  }

  #tell(): void {
    const state = this.#state();
    if (state === this.#told) return;
    this.#told = state;
    this.#events.link(state);
  }

  #state(): Link {
    if (this.#current) return this.#current === this.#socket ? 'fallback' : 'up';
    return this.#asking || this.#channels || this.#socketUp ? 'connecting' : 'down';
  }
}
