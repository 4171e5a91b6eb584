// A server that keeps documents as docs/reference/data.md §6 says, and rooms that are connected to it.
import { type DocumentEvents, type Documents, type Position, type Room, type RoomDocument, TurnoutError } from '@turnout/client';
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { DocumentRoom } from '../src/index.js';

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

class Stored {
  readonly doc = new Y.Doc();
  readonly awareness = new Awareness(new Y.Doc());
  readonly readers = new Set<Opened>();
  seq = 0;

  constructor() {
    this.awareness.setLocalState(null);
    clearInterval(this.awareness._checkInterval as number);
  }
}

export class Server {
  readonly docs = new Map<string, Stored>();
  /** Acknowledgements wait for release(). */
  holding = false;
  #held: (() => void)[] = [];
  /** Refuses the next updates with these codes. */
  readonly refusals: { code: string; retryable: boolean }[] = [];
  updates = 0;
  opens = 0;
  /** The most updates of one document that waited for their acknowledgement at a time. */
  mostHeld = 0;

  stored(name: string): Stored {
    let stored = this.docs.get(name);
    if (!stored) this.docs.set(name, (stored = new Stored()));
    return stored;
  }

  text(name: string): string {
    return this.stored(name).doc.getText('t').toJSON();
  }

  onDisk(then: () => void): void {
    if (!this.holding) return then();
    this.#held.push(then);
    this.mostHeld = Math.max(this.mostHeld, this.#held.length);
  }

  release(): void {
    this.holding = false;
    for (const then of this.#held.splice(0)) then();
  }

  /** Tells readers that a Yjs client is gone, as for somebody who has fallen silent. */
  silence(name: string, clientID: number): void {
    const { awareness, readers } = this.stored(name);
    awareness.states.delete(clientID);
    const update = encodeAwarenessUpdate(awareness, [clientID]);
    for (const reader of readers) reader.tell((e) => e.awareness(update));
  }
}

type Listener = (...args: never[]) => void;

/** A room that is connected to the server, until it is not. */
export class FakeRoom implements DocumentRoom {
  state: Room['state'] = 'connected';
  transports: Room['transports'] = { signal: 'up', media: 'up', data: 'up' };
  rights: 'rw' | 'r' | '' = 'rw';
  readonly docs = new Set<Opened>();
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(readonly server: Server) {}

  readonly documents = {
    open: (name: string, events: DocumentEvents): RoomDocument => new Opened(this, name, events),
  } as unknown as Documents;

  readonly on = ((event: string, listener: Listener): (() => void) => {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    set.add(listener);
    return () => void set.delete(listener);
  }) as Room['on'];

  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  get up(): boolean {
    return this.transports.data === 'up';
  }

  drop(): void {
    this.#data('down');
  }

  /** The stream goes on, or the server knows nothing of it. */
  back(newStream: boolean): void {
    if (newStream) for (const doc of this.docs) doc.forget();
    this.#data('up');
    for (const doc of [...this.docs]) doc.flush();
  }

  leave(): void {
    for (const doc of this.docs) doc.forget();
    this.state = 'disconnected';
    this.#data('down');
    this.#tell('stateChanged');
  }

  #data(data: 'up' | 'down'): void {
    this.transports = { ...this.transports, data };
    this.#tell('transportsChanged');
  }

  #tell(event: string): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener();
  }
}

/** One open document: what SDK and server do together. */
class Opened implements RoomDocument {
  readonly #room: FakeRoom;
  readonly #stored: Stored;
  readonly #events: DocumentEvents;
  #toServer: (() => void)[] = [];
  #toClient: ((events: DocumentEvents) => void)[] = [];
  readonly #waiting = new Set<(error: TurnoutError) => void>();
  #running = false;

  constructor(room: FakeRoom, name: string, events: DocumentEvents) {
    this.#room = room;
    this.#stored = room.server.stored(name);
    this.#events = events;
    room.docs.add(this);
    queueMicrotask(() => this.open());
  }

  open(): void {
    this.#say(() => this.#open());
  }

  #open(): void {
    const { server, rights } = this.#room;
    server.opens++;
    if (rights === '') return this.tell((e) => e.closed(refusal('data.forbidden', false)));
    const vector = this.#events.stateVector();
    this.#stored.readers.add(this);
    const state = {
      writable: rights === 'rw',
      position: { epoch: 1, seq: this.#stored.seq },
      update: Y.encodeStateAsUpdate(this.#stored.doc, vector),
      stateVector: Y.encodeStateVector(this.#stored.doc),
    };
    this.tell((e) => e.opened(state));
    const here = [...this.#stored.awareness.getStates().keys()];
    const awareness = encodeAwarenessUpdate(this.#stored.awareness, here);
    if (here.length > 0) this.tell((e) => e.awareness(awareness));
  }

  update(update: Uint8Array): Promise<Position> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      this.#say(() => {
        const { server, rights } = this.#room;
        server.updates++;
        const refused = server.refusals.shift() ?? this.#fault(update, rights === 'rw');
        if (refused) return this.tell(() => this.#waiting.delete(reject) && reject(refusal(refused.code, refused.retryable)));
        Y.applyUpdate(this.#stored.doc, update);
        const seq = ++this.#stored.seq;
        for (const reader of this.#stored.readers) if (reader !== this) reader.tell((e) => e.changed(update, { epoch: 1, seq }));
        server.onDisk(() => this.tell(() => this.#waiting.delete(reject) && resolve({ epoch: 1, seq })));
      });
    });
  }

  awareness(update: Uint8Array): void {
    this.#say(() => {
      applyAwarenessUpdate(this.#stored.awareness, update, this);
      for (const reader of this.#stored.readers) if (reader !== this) reader.tell((e) => e.awareness(update));
    });
  }

  close(): void {
    this.#room.docs.delete(this);
    this.forget(refusal('aborted', false));
    this.#events.closed = () => undefined;
  }

  /** What was under way is lost. */
  forget(error = refusal('data.lost', true)): void {
    this.#stored.readers.delete(this);
    this.#toServer = [() => this.#open()];
    this.#toClient = [];
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  tell(event: (events: DocumentEvents) => void): void {
    this.#toClient.push(event);
    this.flush();
  }

  #say(to: () => void): void {
    this.#toServer.push(to);
    this.flush();
  }

  flush(): void {
    if (this.#running) return;
    this.#running = true;
    queueMicrotask(() => {
      this.#running = false;
      if (!this.#room.up || !this.#room.docs.has(this)) return;
      const [up, down] = [this.#toServer.splice(0), this.#toClient.splice(0)];
      for (const to of up) to();
      for (const event of down) event(this.#events);
      if (this.#toServer.length + this.#toClient.length > 0) this.flush();
    });
  }

  #fault(update: Uint8Array, writable: boolean): { code: string; retryable: boolean } | undefined {
    if (!writable && this.#isNew(update)) return { code: 'doc.readOnly', retryable: false };
    const has = Y.decodeStateVector(Y.encodeStateVector(this.#stored.doc));
    const gap = [...Y.parseUpdateMeta(update).from].some(([client, clock]) => clock > (has.get(client) ?? 0));
    return gap ? { code: 'doc.gap', retryable: true } : undefined;
  }

  #isNew(update: Uint8Array): boolean {
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(this.#stored.doc));
    let fresh = false;
    copy.on('update', () => (fresh = true));
    Y.applyUpdate(copy, update);
    return fresh;
  }
}

function refusal(code: string, retryable: boolean): TurnoutError {
  return new TurnoutError(code, `refused: ${code}`, { retryable });
}
