// The signaling connection: a WebSocket that is opened again whenever it drops, and the session that goes on over it.
import { type Backoff, waitBefore } from './backoff.js';
import { afterClose, type Closed, type DisconnectReason, toError } from './closing.js';
import { asTurnoutError, aborted, notConnected, TurnoutError } from './errors.js';
import type { ClientFrame, ErrorInfo, Joined, Post, Request, ServerFrame, ServerMessage } from './protocol.js';
import { decode, encode, PROTOCOL, SUBPROTOCOL, VERSION } from './protocol.js';
import { Heartbeat } from './heartbeat.js';
import { Session } from './session.js';

/** A JWT, or how to get one: asked again for every join. */
export type Token = string | (() => string | Promise<string>);

export type Log = (level: 'debug' | 'info' | 'warn' | 'error', message: string, context?: object) => void;

/** The part of a WebSocket that is used. */
export type Socket = Pick<WebSocket, 'send' | 'close' | 'onopen' | 'onmessage' | 'onclose' | 'binaryType' | 'bufferedAmount'>;

export interface SignalOptions {
  /** The address of /ws. */
  url: string;
  token: Token | undefined;
  autoSubscribe: boolean;
  backoff: Backoff;
  random: () => number;
  openSocket: (url: string, protocols: string[]) => Socket;
  log: Log;
}

export interface SignalEvents {
  /** A session has begun; `again` when there was one before, of which nothing is left. */
  joined(joined: Joined, again: boolean): void;
  resumed(): void;
  message(message: ServerMessage): void;
  /** A binary message: data.md §1. */
  binary(message: Uint8Array): void;
  /** The WebSocket dropped; attempts to get back have begun. */
  lost(): void;
  /** It is over, and stays so. */
  ended(reason: DisconnectReason, error: TurnoutError | undefined): void;
}

interface Waiting {
  resolve(message: ServerMessage): void;
  reject(error: TurnoutError): void;
}

type SessionRequest = Exclude<Request, { t: 'join' | 'resume' }>;

// How long a WebSocket may take to open and carry out join or resume.
const handshakeMs = 10_000;
// A connection that held for so long has earned an attempt without a wait.
const stableMs = 5000;
const closeOf: Record<string, number> = {
  left: 1000,
  kicked: 4001,
  roomEnded: 4002,
  duplicateIdentity: 4003,
  serverShutdown: 1001,
  slowReader: 4005,
  flood: 4006,
  tokenExpired: 1008,
};

export class Signal {
  readonly #options: SignalOptions;
  readonly #events: SignalEvents;
  readonly #session = new Session();
  readonly #waiting = new Map<number, Waiting>();
  readonly #heartbeat = new Heartbeat(
    () => this.post({ t: 'ping', d: { n: this.#session.lastN } }),
    () => this.#lost({ code: 4008, newToken: false }),
  );
  #times = { intervalMs: 5000, timeoutMs: 12_000 };
  #socket: Socket | undefined;
  /** Whether the session goes on over the socket now. */
  #attached = false;
  #ended = false;
  #everJoined = false;
  #attempt = 0;
  #attachedAt = 0;
  #lastError: ErrorInfo | undefined;
  #disconnect: Closed['disconnect'];
  #first: { resolve(): void; reject(error: TurnoutError): void } | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SignalOptions, events: SignalEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Joins. Settles with the first attempt; later losses are mended without it. */
  connect(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => this.#end('client', signal && aborted(signal));
      signal?.addEventListener('abort', stop, { once: true });
      const settled = (): void => signal?.removeEventListener('abort', stop);
      this.#first = { resolve: () => (settled(), resolve()), reject: (error) => (settled(), reject(error)) };
      if (signal?.aborted) stop();
      else void this.#open();
    });
  }

  /** Asks the server, and again after a resume when the question was lost. Rejects with the server's refusal. */
  request(request: SessionRequest): Promise<ServerMessage> {
    if (this.#ended || !this.#session.resumable) return Promise.reject(notConnected());
    const frame = this.#session.request(request);
    if (this.#attached) this.#send(frame);
    return new Promise((resolve, reject) => this.#waiting.set(frame.id, { resolve, reject }));
  }

  /** Says something that has no answer; it is lost while there is no WebSocket. */
  post(post: Post): void {
    if (this.#attached) this.#send(post);
  }

  /** Sends a binary message; it is lost while there is no WebSocket. */
  sendBinary(message: Uint8Array<ArrayBuffer>): void {
    if (this.#attached) this.#socket?.send(message);
  }

  /** Bytes that the WebSocket has not sent yet. */
  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Leaves without waiting: the page is being closed. */
  leaveNow(): void {
    if (this.#attached) this.#send(this.#session.request({ t: 'leave', d: {} }));
    this.#end('client', undefined);
  }

  /** Whether requests are on their way, and do not wait for a resume. */
  get up(): boolean {
    return this.#attached;
  }

  /** Leaves the room. Settles when the server has let go, or has not within a second. */
  async leave(): Promise<void> {
    if (!this.#ended && this.#attached) {
      const left = this.request({ t: 'leave', d: {} }).catch(() => undefined);
      await Promise.race([left, new Promise((done) => setTimeout(done, 1000))]);
    }
    this.#end('client', undefined);
  }

  /** The network may have changed: make sure of the connection, or open it again at once. */
  networkChanged(): void {
    if (this.#ended) return;
    if (this.#retry !== undefined) {
      clearTimeout(this.#retry);
      this.#retry = undefined;
      void this.#open();
    } else if (this.#attached) this.#heartbeat.probe();
  }

  async #open(): Promise<void> {
    const resuming = this.#session.resumable;
    let token: string | undefined;
    try {
      token = resuming ? undefined : await this.#token();
    } catch (error) {
      return this.#failed(asTurnoutError(error, 'auth.missing'));
    }
    if (this.#ended) return;
    // A token that is none cannot stand in a header: the server shall say so, not the WebSocket constructor.
    const inHeader = token !== undefined && /^[\w.-]+$/.test(token);
    const socket = this.#options.openSocket(this.#options.url, inHeader ? [SUBPROTOCOL, `access_token_${token}`] : [SUBPROTOCOL]);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#lastError = this.#disconnect = undefined;
    this.#within(handshakeMs, () => this.#lost({ code: 1006, newToken: false, error: noAnswer }));
    socket.onopen = () => this.#send(resuming ? this.#session.resume() : this.#session.join(this.#joining(inHeader ? undefined : token)));
    socket.onmessage = (event: MessageEvent<unknown>) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(this.#closed(event.code));
  }

  async #token(): Promise<string | undefined> {
    const { token } = this.#options;
    return typeof token === 'function' ? token() : token;
  }

  #joining(token: string | undefined): Extract<Request, { t: 'join' }>['d'] {
    return {
      protocol: PROTOCOL,
      ...(token !== undefined && { token }),
      client: { name: '@turnout/client', version: VERSION },
      ...(!this.#options.autoSubscribe && { autoSubscribe: false }),
    };
  }

  #receive(data: unknown): void {
    this.#heartbeat.heard();
    if (data instanceof ArrayBuffer) {
      if (this.#attached) this.#events.binary(new Uint8Array(data));
      return;
    }
    if (typeof data !== 'string') return;
    let frame: ServerFrame;
    try {
      frame = decode(data);
    } catch (error) {
      this.#options.log('error', 'the server sent what this client cannot read', { error });
      return this.#end(
        'protocol',
        new TurnoutError('protocol.malformed', 'the server sent what this client cannot read', { cause: error }),
      );
    }
    if (frame.t === 'disconnect') this.#disconnect = frame.d;
    const got = this.#session.receive(frame);
    switch (got.kind) {
      case 'joined':
        return this.#joined(got.joined);
      case 'resumed':
        this.#attach();
        for (const open of got.resend) this.#send(open);
        return this.#events.resumed();
      case 'reply':
        return this.#reply(got.id, got.message);
      case 'gone':
        return void this.#rejoin();
      case 'refused':
        this.#lastError = got.message.d;
        return this.#lost(this.#closed(codeOf(got.message.d)));
      case 'hole':
        return this.#lost({ code: 4008, newToken: false });
      case 'repeated':
        return;
      case 'message':
        if (got.message.t === 'error') this.#lastError = got.message.d;
        return this.#events.message(got.message);
      default:
        got satisfies never;
    }
  }

  #joined(joined: Joined): void {
    const again = this.#everJoined;
    this.#everJoined = true;
    this.#times = joined.heartbeat;
    this.#attach();
    this.#events.joined(joined, again);
    this.#first?.resolve();
    this.#first = undefined;
  }

  #reply(id: number, message: ServerMessage): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (message.t === 'error') waiting?.reject(TurnoutError.of(message.d));
    else waiting?.resolve(message);
  }

  #attach(): void {
    clearTimeout(this.#deadline);
    this.#attached = true;
    this.#attachedAt = Date.now();
    this.#heartbeat.start(this.#times);
  }

  /** The session is gone: joins on the same WebSocket. */
  async #rejoin(): Promise<void> {
    const socket = this.#socket;
    this.#abandon();
    try {
      const token = await this.#token();
      if (this.#socket === socket && socket) this.#send(this.#session.join(this.#joining(token)));
    } catch (error) {
      this.#failed(asTurnoutError(error, 'auth.missing'));
    }
  }

  #abandon(): void {
    const gone = new TurnoutError('session.gone', 'the connection was lost for too long', { retryable: true });
    for (const id of this.#session.abandon()) {
      this.#waiting.get(id)?.reject(gone);
      this.#waiting.delete(id);
    }
  }

  #closed(code: number): Closed {
    const disconnect = this.#disconnect;
    return {
      code: (disconnect && closeOf[disconnect.reason]) ?? code,
      disconnect,
      error: this.#lastError,
      newToken: typeof this.#options.token === 'function',
    };
  }

  /** No token could be had, or nothing answered: try again, unless it was the first time. */
  #failed(error: TurnoutError): void {
    this.#lost({
      code: 1006,
      newToken: true,
      error: {
        code: error.code,
        message: error.message,
        retryable: error.retryable,
        ...(error.hint !== undefined && { hint: error.hint }),
      },
    });
  }

  #lost(closed: Closed): void {
    if (this.#ended) return;
    const held = this.#attached && Date.now() - this.#attachedAt > stableMs;
    const wasAttached = this.#attached;
    this.#detach(4008);
    if (this.#first) return this.#end('joinRejected', toError(closed, 'net.unreachable'));
    const next = afterClose(closed);
    if (next.kind === 'end') return this.#end(next.reason, next.error);
    if (next.kind === 'rejoin') this.#abandon();
    if (held) this.#attempt = 0;
    if (next.kind === 'rejoin') this.#attempt = Math.max(this.#attempt, next.attempts);
    if (wasAttached) this.#events.lost();
    const wait = waitBefore(this.#attempt++, this.#options.random(), this.#options.backoff);
    if (wait === undefined) return this.#end('networkLost', toError(closed, 'net.unreachable'));
    this.#options.log('info', 'connection lost', { code: closed.code, next: next.kind, wait });
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#open();
    }, wait);
  }

  #end(reason: DisconnectReason, error: TurnoutError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#detach(1000);
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#abandon();
    this.#first?.reject(error ?? new TurnoutError('aborted', 'left before the room was joined'));
    this.#first = undefined;
    this.#events.ended(reason, error);
  }

  #detach(code: number): void {
    this.#attached = false;
    this.#heartbeat.stop();
    clearTimeout(this.#deadline);
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  #within(ms: number, late: () => void): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(late, ms);
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(encode(frame));
  }
}

const noAnswer: ErrorInfo = { code: 'net.timeout', message: 'the server did not answer', retryable: true };

/** The close code that goes with a refused join or resume. */
function codeOf(error: ErrorInfo): number {
  if (error.code.startsWith('auth.')) return 1008;
  return error.retryable ? 1013 : error.code === 'protocol.unsupported' ? 4007 : 4000;
}
