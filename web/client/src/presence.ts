// Presence: one small value for each participant, which is gone when its owner is.
import type { PresenceEntry } from './frame.js';

export type PresenceValue = Readonly<Record<string, unknown>>;

export interface Presence {
  readonly self: PresenceValue | undefined;
  /** By identity. */
  readonly others: ReadonlyMap<string, PresenceValue>;
  /** Replaces one's own value; undefined takes it back. Must be JSON. */
  set(value: PresenceValue | undefined): void;
  on(listener: (others: ReadonlyMap<string, PresenceValue>) => void): () => void;
}

// A pointer moves with every frame; others see it thirty times a second.
const gatherMs = 33;

export class PresenceMap implements Presence {
  self: PresenceValue | undefined;
  others: ReadonlyMap<string, PresenceValue> = new Map();
  readonly #say: (clock: number, data: Uint8Array | undefined) => void;
  readonly #listeners = new Set<(others: ReadonlyMap<string, PresenceValue>) => void>();
  #clock = 0;
  #gathering: ReturnType<typeof setTimeout> | undefined;

  constructor(say: (clock: number, data: Uint8Array | undefined) => void) {
    this.#say = say;
  }

  get present(): boolean {
    return this.self !== undefined;
  }

  set(value: PresenceValue | undefined): void {
    this.self = value;
    this.#gathering ??= setTimeout(() => this.#tell(), gatherMs);
  }

  on(listener: (others: ReadonlyMap<string, PresenceValue>) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What was said on the wire before may be lost, and with a new stream the server knows nothing of this client's presence. */
  welcomed(): void {
    if (this.self || this.#clock > 0) this.#tell();
  }

  received(full: boolean, entries: readonly PresenceEntry[]): void {
    const others = new Map(full ? [] : this.others);
    for (const { identity, present, data } of entries) {
      const value = present ? parse(data) : undefined;
      if (value) others.set(identity, value);
      else others.delete(identity);
    }
    this.#changed(others);
  }

  clear(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.self = undefined;
    if (this.others.size > 0) this.#changed(new Map());
  }

  #tell(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#say(++this.#clock, this.self && new TextEncoder().encode(JSON.stringify(this.self)));
  }

  #changed(others: ReadonlyMap<string, PresenceValue>): void {
    this.others = others;
    for (const listener of [...this.#listeners]) listener(others);
  }
}

/** What others send is not to be trusted to be JSON. */
function parse(data: Uint8Array): PresenceValue | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as PresenceValue) : undefined;
  } catch {
    return undefined;
  }
}
