import type { Room, TurnoutError } from '@turnout/client';
import { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { Emitter } from './emitter.js';
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
    status: [{
        status: Status;
    }];
    /** Whether what the server had is here. False again when the connection is lost. */
    sync: [boolean];
    synced: [boolean];
    /** Changes of this page that are not on the server's disk, those of subdocuments included. */
    unsyncedChanges: [number];
    readOnly: [boolean];
    /** The token does not allow to read the document, or the changes just made. They stay in the page. */
    denied: [{
        reason: string;
        error: TurnoutError;
    }];
    /** Something was refused that will not pass by itself. */
    error: [TurnoutError];
}
/** The part of a Room that is used. */
export type DocumentRoom = Pick<Room, 'documents' | 'on' | 'state' | 'transports'>;
export declare class TurnoutProvider extends Emitter<ProviderEvents> {
    #private;
    readonly room: DocumentRoom;
    readonly name: string;
    readonly doc: Y.Doc;
    /** null when there is none. */
    readonly awareness: Awareness | null;
    /** Settles when the document has been synced for the first time. */
    readonly whenSynced: Promise<void>;
    /** Keeps doc and the room's document of this name alike. A name has 1–128 bytes. */
    constructor(room: DocumentRoom, name: string, doc: Y.Doc, options?: ProviderOptions);
    get status(): Status;
    get synced(): boolean;
    /** 0: everything that was changed here is on the server's disk, as far as it is synced. */
    get unsyncedChanges(): number;
    get hasUnsyncedChanges(): boolean;
    /** True: changes made here stay here, and count as unsynced. */
    get readOnly(): boolean;
    /** By guid. */
    get subdocs(): ReadonlyMap<string, TurnoutProvider>;
    /** Opens the document, now or as soon as the room is connected. */
    connect(): void;
    /** Closes the document; connect opens it again, with what was changed meanwhile. */
    disconnect(): void;
    destroy(): void;
}
