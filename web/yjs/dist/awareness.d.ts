import { type Awareness } from 'y-protocols/awareness';
export declare class AwarenessLink {
    #private;
    readonly awareness: Awareness;
    constructor(awareness: Awareness, origin: unknown, send: (update: Uint8Array) => void);
    /** The server has just been asked who is here: whoever it does not tell is gone. */
    announce(): void;
    received(update: Uint8Array): void;
    /** Forgets the others. With their clocks: the same state, told again, counts. */
    forget(): void;
    destroy(): void;
}
