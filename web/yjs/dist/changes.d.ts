/** Changes that go to the server together. */
export type Batch = readonly number[];
export declare class Changes {
    #private;
    /** Counts a change, and gives it as a batch of one. */
    made(): Batch;
    /** All that are not saved. */
    get batch(): Batch;
    get count(): number;
    /** A change may have gone twice: what is saved once is saved. */
    saved(batch: Batch): void;
}
