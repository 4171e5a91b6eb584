// One session's numbers: which requests are open, which messages have been seen, what to say again after a resume.
// It does no I/O and knows no time; the connection shell sends what it gives.
import type { ClientFrame, Joined, Request, ServerFrame, ServerMessage } from './protocol.js';
import { PROTOCOL } from './protocol.js';

/** What a frame of the server means. */
export type Received =
  | { kind: 'joined'; joined: Joined }
  | { kind: 'resumed'; resend: ClientFrame[] }
  | { kind: 'reply'; id: number; message: ServerMessage }
  | { kind: 'message'; message: ServerMessage }
  /** The session cannot be resumed: join. */
  | { kind: 'gone' }
  /** The server refused the join. */
  | { kind: 'refused'; message: Extract<ServerMessage, { t: 'error' }> }
  /** Seen before. */
  | { kind: 'repeated' }
  /** A message is missing: resume from what was seen. */
  | { kind: 'hole' };

export class Session {
  #lastId = 0;
  #lastN = 0;
  #handshake: { id: number; t: 'join' | 'resume' } | undefined;
  /** Requests without a reply, in the order of their ids. */
  readonly #open = new Map<number, ClientFrame>();
  #identity: { session: string; secret: string } | undefined;

  /** The number of the last message received. */
  get lastN(): number {
    return this.#lastN;
  }

  /** Whether there is a session to resume. */
  get resumable(): boolean {
    return this.#identity !== undefined;
  }

  /** Starts a session: the frame to say first on a WebSocket. Numbers start again; open requests are forgotten, see abandon. */
  join(d: Extract<Request, { t: 'join' }>['d']): ClientFrame {
    this.#identity = undefined;
    this.#lastId = 1;
    this.#lastN = 0;
    this.#open.clear();
    this.#handshake = { id: 1, t: 'join' };
    return { t: 'join', id: 1, d };
  }

  /** The frame to say first on a new WebSocket, to go on with the session. */
  resume(): ClientFrame {
    if (!this.#identity) throw new Error('nothing to resume');
    const id = ++this.#lastId;
    this.#handshake = { id, t: 'resume' };
    return { t: 'resume', id, d: { protocol: PROTOCOL, ...this.#identity, n: this.#lastN } };
  }

  /** Gives a request its number and keeps it until it is answered. */
  request(request: Exclude<Request, { t: 'join' | 'resume' }>): ClientFrame & { id: number } {
    const frame = { ...request, id: ++this.#lastId };
    this.#open.set(frame.id, frame);
    return frame;
  }

  /** The ids of requests that will have no reply in this session, because it is over. */
  abandon(): number[] {
    const ids = [...this.#open.keys()];
    this.#open.clear();
    this.#identity = undefined;
    return ids;
  }

  receive(frame: ServerFrame): Received {
    const { n, re, ...message } = frame;
    if (n !== undefined) {
      if (n <= this.#lastN) return { kind: 'repeated' };
      if (n > this.#lastN + 1) return { kind: 'hole' };
      this.#lastN = n;
    }
    if (re === undefined) return { kind: 'message', message };
    if (this.#handshake?.id === re) return this.#shake(this.#handshake.t, message);
    if (!this.#open.delete(re)) return { kind: 'repeated' };
    return { kind: 'reply', id: re, message };
  }

  #shake(asked: 'join' | 'resume', message: ServerMessage): Received {
    this.#handshake = undefined;
    switch (message.t) {
      case 'joined':
        this.#identity = { session: message.d.session.id, secret: message.d.session.secret };
        return { kind: 'joined', joined: message.d };
      case 'resumed': {
        const carriedOut = message.d.id;
        return { kind: 'resumed', resend: [...this.#open.values()].filter((f) => 'id' in f && f.id > carriedOut) };
      }
      case 'error':
        if (asked === 'resume' && message.d.code === 'session.gone') return { kind: 'gone' };
        return { kind: 'refused', message };
      default:
        return { kind: 'message', message };
    }
  }
}
