// Which of this side's changes are on the server's disk. It knows no document and no time.

/** Changes that go to the server together. */
export type Batch = readonly number[];

export class Changes {
  #last = 0;
  readonly #unsaved = new Set<number>();

  /** Counts a change, and gives it as a batch of one. */
  made(): Batch {
    this.#unsaved.add(++this.#last);
    return [this.#last];
  }

  /** All that are not saved. */
  get batch(): Batch {
    return [...this.#unsaved];
  }

  get count(): number {
    return this.#unsaved.size;
  }

  /** A change may have gone twice: what is saved once is saved. */
  saved(batch: Batch): void {
    for (const n of batch) this.#unsaved.delete(n);
  }
}
