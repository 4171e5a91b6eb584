// What was asked of the server, and has to be asked again when a new session knows nothing of it.
import { TurnoutError } from './errors.js';
import type { Request, Update } from './protocol.js';

const betweenSessions: ReadonlySet<string> = new Set(['session.gone', 'state.notConnected']);

type Wish = Extract<Request, { t: 'update' | 'subscribe' | 'mute' }>;

export class Wishes {
  readonly #request: (request: Wish) => Promise<void>;
  #update: Update = {};
  /** Publications that were subscribed or not, against the rule of the room. */
  readonly #subscribed = new Map<string, boolean>();
  /** Mutings on their way, by publication. */
  readonly #muting = new Map<string, number>();

  constructor(request: (request: Wish) => Promise<void>) {
    this.#request = request;
  }

  async update(update: Update): Promise<void> {
    await this.#request({ t: 'update', d: update });
    const attributes = { ...this.#update.attributes, ...update.attributes };
    this.#update = { ...this.#update, ...update, ...(Object.keys(attributes).length > 0 && { attributes }) };
  }

  async subscribe(id: string, subscribed: boolean): Promise<void> {
    await this.#request({ t: 'subscribe', d: { id, subscribed } });
    this.#subscribed.set(id, subscribed);
  }

  /** Between two sessions this is no failure: the offer tells the new one what is muted. */
  async mute(id: string, muted: boolean): Promise<void> {
    this.#muting.set(id, (this.#muting.get(id) ?? 0) + 1);
    try {
      await this.#request({ t: 'mute', d: { id, muted } });
    } catch (error) {
      if (!(error instanceof TurnoutError) || !betweenSessions.has(error.code)) throw error;
    } finally {
      const left = (this.#muting.get(id) ?? 1) - 1;
      if (left > 0) this.#muting.set(id, left);
      else this.#muting.delete(id);
    }
  }

  isMuting(id: string): boolean {
    return this.#muting.has(id);
  }

  /** A new session has begun. What it refuses is no wish any more. */
  again(): void {
    if (Object.keys(this.#update).length > 0) void this.update(this.#update).catch(() => undefined);
    for (const [id, subscribed] of this.#subscribed) void this.subscribe(id, subscribed).catch(() => this.#subscribed.delete(id));
  }

  clear(): void {
    this.#update = {};
    this.#subscribed.clear();
  }
}
