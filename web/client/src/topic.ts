// A named lane of application messages.
import type { Data, To } from './data.js';

export interface Codec<T> {
  encode(value: T): Uint8Array;
  /** May throw: the message is ignored then. */
  decode(bytes: Uint8Array): T;
}

export interface TopicOptions<T> {
  /** Default true. Unreliable messages are dropped rather than late. */
  reliable?: boolean;
  /** Default JSON. */
  codec?: Codec<T>;
}

export interface Topic<T> {
  /** Settles when the server has it; rejects with its refusal. An unreliable send settles at once. */
  send(value: T, to?: To): Promise<void>;
  /** from is an identity, or empty for the server itself. Gives the function that stops the listening. */
  on(listener: (value: T, from: string) => void): () => void;
  readonly bufferedAmount: number;
}

export function jsonCodec<T>(): Codec<T> {
  return {
    encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as T,
  };
}

export function openTopic<T>(data: Data, name: string, options: TopicOptions<T> = {}): Topic<T> {
  const codec = options.codec ?? jsonCodec<T>();
  const reliable = options.reliable ?? true;
  return {
    send: (value, to) => data.send(name, codec.encode(value), { reliable, ...to }),
    on: (listener) =>
      data.on(name, (payload, from) => {
        let value: T;
        try {
          value = codec.decode(payload);
        } catch {
          return; // another program's message under this name
        }
        listener(value, from);
      }),
    get bufferedAmount() {
      return data.bufferedAmount;
    },
  };
}
