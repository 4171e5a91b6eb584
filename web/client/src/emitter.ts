/** Calls listeners by event name. A listener that throws is reported and disturbs no other. */
export class Emitter<Events extends { [K in keyof Events]: unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<(...args: never) => void>>();

  /** Gives the function that stops the listening. */
  on<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): () => void {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    const own = (...args: Events[K]): void => listener(...args); // the same listener may be given twice
    set.add(own);
    return () => void set.delete(own);
  }

  once<K extends keyof Events>(event: K, listener: (...args: Events[K]) => void): () => void {
    const off = this.on(event, (...args) => {
      off();
      listener(...args);
    });
    return off;
  }

  emit<K extends keyof Events>(event: K, ...args: Events[K]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])] as ((...args: Events[K]) => void)[]) {
      guarded(() => listener(...args));
    }
  }
}

/** Calls what is not ours: when it throws, that is reported and disturbs nobody. */
export function guarded(f: () => void): void {
  try {
    f();
  } catch (error) {
    reportError(error);
  }
}
