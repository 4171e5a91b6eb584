// Documents of the room as bytes: docs/reference/data.md §6. What the bytes mean is for a CRDT library above, see @turnout/yjs.
import { guarded } from './emitter.js';
import { TurnoutError } from './errors.js';
import type { Counted, FromDocument } from './frame.js';

/** Where in the history of a document something is. With another epoch, the seq of before mean nothing. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** The server's answer to an opening. */
export interface DocumentState {
  /** Whether updates are taken from this participant. */
  readonly writable: boolean;
  readonly position: Position;
  /** What this side lacks. */
  readonly update: Uint8Array;
  /** What the server has: the rest is to be sent to it. */
  readonly stateVector: Uint8Array;
}

/** What the owner of the document is asked and told. */
export interface DocumentEvents {
  /** What this side has; asked at each opening. */
  stateVector(): Uint8Array;
  /** It is open, for the first time or again. Send what the server lacks, even when that is an empty update: then all is saved when it settles. */
  opened(state: DocumentState): void;
  changed(update: Uint8Array, position: Position): void;
  awareness(update: Uint8Array): void;
  /** It was refused or ended. It is not opened again before open() is called or the connection is a new one. */
  closed(error: TurnoutError): void;
}

/** One document, open as long as there is a connection. */
export interface RoomDocument {
  /** Compares with the server again; `opened` follows. */
  open(): void;
  /** Settles when the update is on the server's disk; rejects with its refusal. What is rejected for a lost connection goes with the next opening. */
  update(update: Uint8Array): Promise<Position>;
  /** Who is here, and where: may be lost. */
  awareness(update: Uint8Array): void;
  close(): void;
}

interface Wire {
  nextId(): number;
  /** False: too much waits already. */
  send(frame: Counted, id: number): boolean;
  /** Whether frames go out at once. */
  open(): boolean;
}

interface Opened {
  readonly number: number;
  readonly name: string;
  readonly events: DocumentEvents;
  /** The docOpen that has no answer yet. */
  asked: number | undefined;
  /** docOpen has been said on this stream, and not been refused. */
  said: boolean;
  /** To be opened when there is a wire. */
  due: boolean;
  /** Awareness was told: others see somebody here, as long as this side is heard. */
  present: boolean;
}

interface Pending {
  readonly doc: number;
  resolve(position: Position): void;
  reject(error: TurnoutError): void;
}

export class Documents {
  readonly #wire: Wire;
  readonly #docs = new Map<number, Opened>();
  /** Updates without an answer, by id. */
  readonly #pending = new Map<number, Pending>();
  #lastNumber = 0;

  /** @internal */
  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Opens a document of the room. A name has 1–128 bytes. */
  open(name: string, events: DocumentEvents): RoomDocument {
    const doc: Opened = { number: ++this.#lastNumber, name, events, asked: undefined, said: false, due: true, present: false };
    this.#docs.set(doc.number, doc);
    // The caller has its document in hand before the first event.
    queueMicrotask(() => this.#say(doc));
    return {
      open: () => {
        doc.due = true;
        this.#say(doc);
      },
      update: (update) => this.#update(doc, update),
      awareness: (update) => {
        if (!doc.said) return;
        doc.present = this.#wire.send({ type: 'docAwareness', doc: doc.number, update }, this.#wire.nextId()) || doc.present;
      },
      close: () => this.#close(doc),
    };
  }

  /** @internal Whether others see this side in a document. */
  get present(): boolean {
    return [...this.#docs.values()].some((doc) => doc.said && doc.present);
  }

  /** @internal There is a wire. On a new stream the server knows no document. */
  welcomed(newStream: boolean, lost: TurnoutError): void {
    if (newStream) this.#forget(lost);
    for (const doc of [...this.#docs.values()]) this.#say(doc);
  }

  /** @internal Something of the server's is missing. */
  openAgain(): void {
    for (const doc of [...this.#docs.values()]) {
      doc.due ||= doc.said;
      this.#say(doc);
    }
  }

  /** @internal */
  left(error: TurnoutError): void {
    this.#forget(error);
  }

  /** @internal The server refuses the frame with this id. */
  refused(id: number, error: TurnoutError): void {
    if (id === 0) return;
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    pending?.reject(error);
    for (const doc of this.#docs.values()) if (doc.asked === id) this.#ended(doc, error);
  }

  /** @internal */
  received(frame: FromDocument): void {
    if (frame.type === 'docAck') return this.#acknowledged(frame);
    const doc = this.#docs.get(frame.doc);
    if (!doc) return; // closed meanwhile
    switch (frame.type) {
      case 'docState': {
        const { writable, epoch, seq, update, stateVector } = frame;
        doc.asked = undefined;
        return guarded(() => doc.events.opened({ writable, position: { epoch, seq }, update, stateVector }));
      }
      case 'docChange':
        return guarded(() => doc.events.changed(frame.update, { epoch: frame.epoch, seq: frame.seq }));
      case 'docAwareness':
        return guarded(() => doc.events.awareness(frame.update));
      case 'docClosed': {
        const { code, message, hint, retryable } = frame;
        return this.#ended(doc, new TurnoutError(code, message, { hint: hint || undefined, retryable }));
      }
      default:
        frame satisfies never;
    }
  }

  #say(doc: Opened): void {
    if (!doc.due || !this.#wire.open() || this.#docs.get(doc.number) !== doc) return;
    const id = this.#wire.nextId();
    const { number, name, events } = doc;
    if (!this.#wire.send({ type: 'docOpen', id, doc: number, name, stateVector: events.stateVector() }, id)) {
      return events.closed(new TurnoutError('data.backpressure', 'too much waits to be sent', { retryable: true }));
    }
    doc.asked = id;
    doc.said = true;
    doc.due = false;
  }

  #update(doc: Opened, update: Uint8Array): Promise<Position> {
    return new Promise((resolve, reject) => {
      const id = this.#wire.nextId();
      if (!doc.said) {
        return reject(new TurnoutError('doc.notOpen', 'the document is not open', { hint: 'wait until it is', retryable: true }));
      }
      if (!this.#wire.send({ type: 'docUpdate', id, doc: doc.number, update }, id)) {
        return reject(new TurnoutError('data.backpressure', 'too much waits to be sent', { retryable: true }));
      }
      this.#pending.set(id, { doc: doc.number, resolve, reject });
    });
  }

  #acknowledged({ id, epoch, seq }: Extract<FromDocument, { type: 'docAck' }>): void {
    this.#pending.get(id)?.resolve({ epoch, seq });
    this.#pending.delete(id);
  }

  #close(doc: Opened): void {
    if (!this.#docs.delete(doc.number)) return;
    this.#rejectAll(new TurnoutError('aborted', 'the document was closed'), doc.number);
    if (doc.said) this.#wire.send({ type: 'docClose', doc: doc.number }, this.#wire.nextId());
  }

  #ended(doc: Opened, error: TurnoutError): void {
    doc.said = false;
    doc.asked = undefined;
    this.#rejectAll(error, doc.number);
    guarded(() => doc.events.closed(error));
  }

  /** What was open is to be opened again. */
  #forget(error: TurnoutError): void {
    for (const doc of this.#docs.values()) {
      doc.due = true;
      doc.said = false;
      doc.asked = undefined;
    }
    this.#rejectAll(error);
  }

  #rejectAll(error: TurnoutError, doc?: number): void {
    for (const [id, pending] of [...this.#pending]) {
      if (doc !== undefined && pending.doc !== doc) continue;
      this.#pending.delete(id);
      pending.reject(error);
    }
  }
}
