import { type DocumentEvents, type RoomDocument, TurnoutError } from '@turnout/client';
import * as Y from 'yjs';
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
export declare class Sync {
    #private;
    /** origin marks the transactions that bring what others changed. */
    constructor(doc: Y.Doc, origin: unknown, events: SyncEvents);
    /** Whether what the server had at the opening is here, and what others change arrives. */
    get open(): boolean;
    get started(): boolean;
    get writable(): boolean;
    /** Changes of this side that are not on the server's disk. */
    get unsynced(): number;
    start(open: (events: DocumentEvents) => RoomDocument): void;
    /** The connection is lost. It may go on where it was, or begin with an opening. */
    interrupted(): void;
    awareness(update: Uint8Array): void;
    stop(): void;
    destroy(): void;
}
