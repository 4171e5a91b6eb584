// The notes of one room during a call: the document, what keeps it on this device, and what brings it to the server.
import type { Room } from '@turnout/client';
import { type Status, TurnoutProvider } from '@turnout/yjs';
import { IndexeddbPersistence } from 'y-indexeddb';
import { Doc } from 'yjs';

export interface NotesState {
  readonly status: Status;
  /** Synced at least once in this call. */
  readonly everSynced: boolean;
  readonly unsynced: number;
  readonly readOnly: boolean;
  /** Whether the browser keeps a copy. */
  readonly kept: boolean;
  /** The last refusal of what is not saved. */
  readonly refused: { readonly code: string } | undefined;
}

const atFirst: NotesState = { status: 'connecting', everSynced: false, unsynced: 0, readOnly: false, kept: false, refused: undefined };

/** It runs as long as somebody is subscribed, and ends with the call. */
export class NotesSession {
  readonly doc = new Doc();
  readonly provider: TurnoutProvider;
  readonly #room: Room;
  readonly #listeners = new Set<() => void>();
  #store: IndexeddbPersistence | undefined;
  #state = atFirst;

  constructor(room: Room) {
    this.#room = room;
    const provider = (this.provider = new TurnoutProvider(room, 'notes', this.doc, { connect: false }));
    provider.on('status', ({ status }) => this.#set({ status }));
    provider.on('synced', (synced) => this.#set(synced ? { everSynced: true } : {}));
    provider.on('unsyncedChanges', (unsynced) => this.#set(unsynced === 0 ? { unsynced, refused: undefined } : { unsynced }));
    provider.on('readOnly', (readOnly) => this.#set({ readOnly }));
    provider.on('denied', ({ error }) => this.#set({ refused: error }));
    provider.on('error', (error) => this.#set({ refused: error }));
    room.once('disconnected', () => this.doc.destroy()); // and with it the provider
  }

  getSnapshot = (): NotesState => this.#state;

  subscribe = (f: () => void): (() => void) => {
    this.#listeners.add(f);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      this.#listeners.delete(f);
      if (this.#listeners.size === 0) this.#stop();
    };
  };

  #start(): void {
    const store = (this.#store = openStore(`turnout.notes/${this.#room.name}`, this.doc));
    void store?.whenSynced.then(() => {
      if (this.#store === store) this.#set({ kept: true });
    });
    this.provider.connect();
    this.#set({ status: this.provider.status });
  }

  #stop(): void {
    this.provider.disconnect();
    void this.#store?.destroy();
    this.#store = undefined;
  }

  #set(change: Partial<NotesState>): void {
    this.#state = { ...this.#state, ...change };
    for (const f of [...this.#listeners]) f();
  }
}

/** Storage may be forbidden, as in some private windows: then nothing is kept. */
function openStore(name: string, doc: Doc): IndexeddbPersistence | undefined {
  try {
    return new IndexeddbPersistence(name, doc);
  } catch {
    return undefined;
  }
}
