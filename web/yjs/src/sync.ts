// Keeps one Y.Doc and the room's document of the same name alike: docs/reference/data.md §6.
import { type DocumentEvents, type DocumentState, type RoomDocument, TurnoutError } from '@turnout/client';
import * as Y from 'yjs';
import { type Batch, Changes } from './changes.js';

export interface SyncEvents {
  /** Open or not, read-only or not, saved or not: something is otherwise. */
  changed(): void;
  /** It was opened, for the first time or again. */
  opened(): void;
  awareness(update: Uint8Array): void;
  /** The server does not take this side's changes, or does not show the document at all. */
  denied(error: TurnoutError): void;
  error(error: TurnoutError): void;
}

// So many updates wait for their acknowledgement at a time; what is changed meanwhile is sent as one.
const inFlightMost = 8;
// When so many updates wait to be sent, a comparison with the server is less work.
const queueMost = 256;
// A refusal that may pass is tried again after ¼, ½, 1 … 30 s.
const retryMs = 250;
const retryMaxMs = 30_000;
// A read-only page that is edited compares once a second.
const readOnlyMs = 1000;

export class Sync {
  // Set at construction, never changed.
  readonly #doc: Y.Doc;
  readonly #origin: unknown;
  readonly #events: SyncEvents;
  // Owned by the methods below, which never overlap.
  readonly #changes = new Changes();
  #document: RoomDocument | undefined;
  #state: 'closed' | 'opening' | 'open' | 'comparing' = 'closed';
  /** The connection was lost since the last opening. */
  #interrupted = false;
  #writable = true;
  #queue: { update: Uint8Array; batch: Batch }[] = [];
  #inFlight = 0;
  #attempts = 0;
  #retrying: ReturnType<typeof setTimeout> | undefined;

  /** origin marks the transactions that bring what others changed. */
  constructor(doc: Y.Doc, origin: unknown, events: SyncEvents) {
    this.#doc = doc;
    this.#origin = origin;
    this.#events = events;
    doc.on('update', this.#edited);
  }

  /** Whether what the server had at the opening is here, and what others change arrives. */
  get open(): boolean {
    return this.#state === 'open' || this.#state === 'comparing';
  }

  get started(): boolean {
    return this.#document !== undefined;
  }

  get writable(): boolean {
    return this.#writable;
  }

  /** Changes of this side that are not on the server's disk. */
  get unsynced(): number {
    return this.#changes.count;
  }

  start(open: (events: DocumentEvents) => RoomDocument): void {
    this.#document = open({
      stateVector: () => {
        this.#notOpen(this.open && !this.#interrupted ? 'comparing' : 'opening');
        return Y.encodeStateVector(this.#doc);
      },
      opened: (state) => this.#opened(state),
      changed: (update) => this.#apply(update),
      awareness: (update) => this.#events.awareness(update),
      closed: (error) => this.#closed(error),
    });
  }

  /** The connection is lost. It may go on where it was, or begin with an opening. */
  interrupted(): void {
    this.#interrupted = true;
  }

  awareness(update: Uint8Array): void {
    this.#document?.awareness(update);
  }

  stop(): void {
    clearTimeout(this.#retrying);
    this.#retrying = undefined;
    this.#document?.close();
    this.#document = undefined;
    this.#notOpen('closed');
  }

  destroy(): void {
    this.#doc.off('update', this.#edited);
    this.stop();
  }

  readonly #edited = (update: Uint8Array, origin: unknown): void => {
    if (origin === this.#origin) return;
    const batch = this.#changes.made();
    // What is changed while it is not open goes with the opening.
    if (this.#state === 'open') {
      if (!this.#writable) this.#compareAgain(readOnlyMs);
      else if (this.#queue.length >= queueMost) this.#document?.open();
      else {
        this.#queue.push({ update, batch });
        this.#flush();
      }
    }
    this.#events.changed();
  };

  #flush(): void {
    if (this.#state !== 'open' || this.#inFlight >= inFlightMost || this.#queue.length === 0) return;
    const queued = this.#queue.splice(0);
    const [first] = queued;
    const update = queued.length === 1 && first ? first.update : Y.mergeUpdates(queued.map((q) => q.update));
    const batch = queued.flatMap((q) => q.batch);
    this.#send(update, batch);
  }

  #send(update: Uint8Array, batch: Batch): void {
    const document = this.#document;
    if (!document) return;
    this.#inFlight++;
    document.update(update).then(
      () => {
        this.#changes.saved(batch);
        this.#attempts = 0;
        this.#settled();
      },
      (thrown: unknown) => {
        if (this.#document === document) this.#refused(asError(thrown));
        this.#settled();
      },
    );
  }

  #settled(): void {
    this.#inFlight--;
    this.#flush();
    this.#events.changed();
  }

  #opened(state: DocumentState): void {
    if (!this.#apply(state.update)) return;
    this.#writable = state.writable;
    this.#queue = [];
    const lacking = Y.encodeStateAsUpdate(this.#doc, state.stateVector);
    let { batch } = this.#changes;
    if (batch.length === 0 && brings(lacking, state.update)) batch = this.#changes.made();
    this.#state = 'open';
    this.#interrupted = false;
    // Sent even when it is empty, and by who may only read: the answer says that all is saved.
    this.#send(lacking, batch);
    this.#events.opened();
    this.#events.changed();
  }

  #apply(update: Uint8Array): boolean {
    try {
      Y.applyUpdate(this.#doc, update, this.#origin);
      return true;
    } catch (cause) {
      this.#events.error(new TurnoutError('doc.malformed', 'an update of the server cannot be applied', { cause, retryable: true }));
      this.#compareAgain();
      return false;
    }
  }

  #closed(error: TurnoutError): void {
    this.#notOpen('closed');
    this.#refused(error);
  }

  #refused(error: TurnoutError): void {
    switch (error.code) {
      case 'aborted': // the room was left
      case 'data.lost':
        return; // it is opened again with the next connection
      case 'doc.readOnly':
      case 'data.forbidden':
        return this.#events.denied(error);
      case 'doc.equivocation':
        // Somebody else writes under this id. What follows gets another one; what was refused stays on this side.
        this.#doc.clientID = newClientId();
        this.#events.error(error);
        return this.#compareAgain();
      default:
        if (error.retryable) return this.#compareAgain();
        this.#events.error(error);
    }
  }

  /** Opens it again after a while: that heals whatever was lost or refused. */
  #compareAgain(ms = Math.min(retryMaxMs, retryMs * 2 ** this.#attempts++)): void {
    this.#retrying ??= setTimeout(() => {
      this.#retrying = undefined;
      this.#document?.open();
    }, ms);
  }

  #notOpen(state: 'closed' | 'opening' | 'comparing'): void {
    this.#state = state;
    this.#queue = [];
    this.#events.changed();
  }
}

function asError(thrown: unknown): TurnoutError {
  return thrown instanceof TurnoutError ? thrown : new TurnoutError('server.internal', String(thrown), { cause: thrown, retryable: true });
}

function newClientId(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Whether an update brings anything to who has sent another one, which tells all that it has deleted. */
function brings(update: Uint8Array, theirs: Uint8Array): boolean {
  const { structs, ds } = Y.decodeUpdate(update);
  return structs.length > 0 || (ds.clients.size > 0 && !Y.equalDeleteSets(ds, Y.decodeUpdate(theirs).ds));
}
