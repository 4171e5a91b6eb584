/** Calls listeners by event name. A listener that throws is reported and disturbs no other. */
export declare class Emitter<Events extends {
    [K in keyof Events]: unknown[];
}> {
    #private;
    /** Gives the function that stops the listening. */
    on<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): () => void;
    once<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): () => void;
    off<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): void;
    protected emit<K extends keyof Events>(event: K, ...args: Events[K]): void;
}
