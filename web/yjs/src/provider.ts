// A Yjs provider with the shape that editors expect, over a room of @turnout/client.
import type { Room, TurnoutError } from '@turnout/client';
import { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { AwarenessLink } from './awareness.js';
import { Emitter } from './emitter.js';
import { Sync } from './sync.js';

export type Status = 'connecting' | 'connected' | 'disconnected';

export interface ProviderOptions {
  /** One to share with others, or null for none. Left out: one of its own. */
  awareness?: Awareness | null;
  /** False: connect() is called later. */
  connect?: boolean;
  /** False: subdocuments are left to the caller. Otherwise each that is loaded gets a provider, under its guid. */
  subdocs?: boolean;
}

export interface ProviderEvents {
  status: [{ status: Status }];
  /** Whether what the server had is here. False again when the connection is lost. */
  sync: [boolean];
  synced: [boolean];
  /** Changes of this page that are not on the server's disk, those of subdocuments included. */
  unsyncedChanges: [number];
  readOnly: [boolean];
  /** The token does not allow to read the document, or the changes just made. They stay in the page. */
  denied: [{ reason: string; error: TurnoutError }];
  /** Something was refused that will not pass by itself. */
  error: [TurnoutError];
}

/** The part of a Room that is used. */
export type DocumentRoom = Pick<Room, 'documents' | 'on' | 'state' | 'transports'>;

interface Subdocs {
  loaded: Set<Y.Doc>;
  removed: Set<Y.Doc>;
}

export class TurnoutProvider extends Emitter<ProviderEvents> {
  // Set at construction, never changed.
  readonly room: DocumentRoom;
  readonly name: string;
  readonly doc: Y.Doc;
  /** null when there is none. */
  readonly awareness: Awareness | null;
  /** Settles when the document has been synced for the first time. */
  readonly whenSynced: Promise<void>;
  readonly #link: AwarenessLink | undefined;
  readonly #sync: Sync;
  readonly #stops: (() => void)[] = [];
  // Owned by #refresh.
  #shown = { status: 'disconnected' as Status, synced: false, unsynced: 0, readOnly: false };
  #firstSynced!: () => void;
  readonly #subdocs = new Map<Y.Doc, TurnoutProvider>();
  #destroyed = false;

  /** Keeps doc and the room's document of this name alike. A name has 1–128 bytes. */
  constructor(room: DocumentRoom, name: string, doc: Y.Doc, options: ProviderOptions = {}) {
    super();
    this.room = room;
    this.name = name;
    this.doc = doc;
    this.whenSynced = new Promise((resolve) => (this.#firstSynced = resolve));
    this.#sync = new Sync(doc, this, {
      changed: () => this.#refresh(),
      opened: () => this.#link?.announce(),
      awareness: (update) => this.#link?.received(update),
      denied: (error) => this.emit('denied', { reason: error.message, error }),
      error: (error) => this.emit('error', error),
    });
    this.awareness = options.awareness === undefined ? this.#ownAwareness() : options.awareness;
    this.#link = this.awareness ? new AwarenessLink(this.awareness, this, (update) => this.#sync.awareness(update)) : undefined;
    this.#stops.push(
      room.on('transportsChanged', () => this.#refresh()),
      room.on('stateChanged', () => this.#refresh()),
    );
    const destroy = (): void => this.destroy();
    doc.on('destroy', destroy);
    this.#stops.push(() => doc.off('destroy', destroy));
    if (options.subdocs !== false) this.#followSubdocs();
    if (options.connect !== false) this.connect();
  }

  get status(): Status {
    return this.#shown.status;
  }

  get synced(): boolean {
    return this.#shown.synced;
  }

  /** 0: everything that was changed here is on the server's disk, as far as it is synced. */
  get unsyncedChanges(): number {
    return this.#shown.unsynced;
  }

  get hasUnsyncedChanges(): boolean {
    return this.unsyncedChanges > 0;
  }

  /** True: changes made here stay here, and count as unsynced. */
  get readOnly(): boolean {
    return this.#shown.readOnly;
  }

  /** By guid. */
  get subdocs(): ReadonlyMap<string, TurnoutProvider> {
    return new Map([...this.#subdocs].map(([doc, provider]) => [doc.guid, provider]));
  }

  /** Opens the document, now or as soon as the room is connected. */
  connect(): void {
    if (this.#destroyed || this.#sync.started) return;
    this.#sync.start((events) => this.room.documents.open(this.name, events));
    for (const provider of this.#subdocs.values()) provider.connect();
    this.#refresh();
  }

  /** Closes the document; connect opens it again, with what was changed meanwhile. */
  disconnect(): void {
    this.#sync.stop();
    this.#link?.forget();
    for (const provider of this.#subdocs.values()) provider.disconnect();
    this.#refresh();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    for (const stop of this.#stops) stop();
    for (const provider of this.#subdocs.values()) provider.destroy();
    this.#subdocs.clear();
    this.#sync.destroy();
    this.#link?.destroy();
    this.#refresh();
  }

  #ownAwareness(): Awareness {
    const awareness = new Awareness(this.doc);
    this.#stops.push(() => awareness.destroy());
    return awareness;
  }

  #followSubdocs(): void {
    const follow = ({ loaded, removed }: Subdocs): void => {
      for (const doc of removed) {
        this.#subdocs.get(doc)?.destroy();
        this.#subdocs.delete(doc);
      }
      for (const doc of loaded) this.#load(doc);
      this.#refresh();
    };
    follow({ loaded: new Set([...this.doc.getSubdocs()].filter((doc) => doc.shouldLoad)), removed: new Set() });
    this.doc.on('subdocs', follow);
    this.#stops.push(() => this.doc.off('subdocs', follow));
  }

  #load(doc: Y.Doc): void {
    if (this.#subdocs.has(doc)) return;
    const provider = new TurnoutProvider(this.room, doc.guid, doc, { awareness: null, connect: this.#sync.started });
    provider.on('unsyncedChanges', () => this.#refresh());
    provider.on('denied', (denied) => this.emit('denied', denied));
    provider.on('error', (error) => this.emit('error', error));
    this.#subdocs.set(doc, provider);
  }

  /** Tells what is otherwise than it was. */
  #refresh(): void {
    const before = this.#shown;
    const status = this.#status();
    const synced = status === 'connected';
    let unsynced = this.#sync.unsynced;
    for (const provider of this.#subdocs.values()) unsynced += provider.unsyncedChanges;
    const now = (this.#shown = { status, synced, unsynced, readOnly: !this.#sync.writable });
    if (now.status !== before.status) this.emit('status', { status });
    if (now.readOnly !== before.readOnly) this.emit('readOnly', now.readOnly);
    if (now.unsynced !== before.unsynced) this.emit('unsyncedChanges', unsynced);
    if (now.synced === before.synced) return;
    if (synced) this.#firstSynced();
    this.emit('sync', synced);
    this.emit('synced', synced);
  }

  #status(): Status {
    const { state, transports } = this.room;
    if (state === 'idle' || state === 'disconnected') this.#sync.interrupted();
    if (!this.#sync.started || state === 'idle' || state === 'disconnected') return 'disconnected';
    if (transports.data === 'up' || transports.data === 'fallback') return this.#sync.open ? 'connected' : 'connecting';
    this.#sync.interrupted();
    return 'connecting';
  }
}
