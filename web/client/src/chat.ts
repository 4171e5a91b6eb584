// Text chat: the topic "chat" with a list of what was said while this participant was in the room.
import { type Check, object, string } from './check.js';
import type { Data } from './data.js';
import { asTurnoutError, type TurnoutError } from './errors.js';
import { jsonCodec, openTopic, type Topic } from './topic.js';

export interface ChatMessage {
  readonly id: number;
  readonly identity: string;
  /** The name at the time; the participant may have left. */
  readonly name: string;
  readonly isLocal: boolean;
  readonly text: string;
  /** When it arrived, unix ms. */
  readonly at: number;
  readonly state: 'sending' | 'sent' | 'failed';
  readonly error?: TurnoutError;
}

// Older messages are forgotten.
const kept = 500;

const text: Check<{ text: string }> = object({ text: string });

export class Chat {
  #messages: readonly ChatMessage[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #topic: Topic<{ text: string }>;
  readonly #me: () => { identity: string; name: string };
  #lastId = 0;

  constructor(data: Data, me: () => { identity: string; name: string }, nameOf: (identity: string) => string) {
    const json = jsonCodec<unknown>();
    this.#me = me;
    this.#topic = openTopic<{ text: string }>(data, 'chat', {
      codec: { encode: (said) => json.encode(said), decode: (bytes) => text(json.decode(bytes), 'chat') },
    });
    this.#topic.on(({ text: said }, identity) =>
      this.#add({ identity, name: nameOf(identity), isLocal: false, text: said, state: 'sent' }),
    );
  }

  /** Oldest first. The same value until something changes. */
  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /** Says something to everyone. It is in messages at once, with its state. */
  async send(said: string): Promise<void> {
    const id = this.#add({ ...this.#me(), isLocal: true, text: said, state: 'sending' });
    try {
      await this.#topic.send({ text: said });
      this.#change(id, { state: 'sent' });
    } catch (thrown) {
      const error = asTurnoutError(thrown);
      this.#change(id, { state: 'failed', error });
      throw error;
    }
  }

  /** Calls f when messages has changed. */
  subscribe(f: () => void): () => void {
    this.#listeners.add(f);
    return () => void this.#listeners.delete(f);
  }

  #add(message: Omit<ChatMessage, 'id' | 'at'>): number {
    const id = ++this.#lastId;
    this.#set([...this.#messages, { ...message, id, at: Date.now() }].slice(-kept));
    return id;
  }

  #change(id: number, change: Partial<ChatMessage>): void {
    this.#set(this.#messages.map((m) => (m.id === id ? { ...m, ...change } : m)));
  }

  #set(messages: readonly ChatMessage[]): void {
    this.#messages = messages;
    for (const f of [...this.#listeners]) f();
  }
}
