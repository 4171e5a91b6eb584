// The numbers, strings and byte strings that frames are made of: docs/reference/data.md §2.
import { Malformed } from './check.js';

const utf8 = new TextEncoder();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Writes the fields of a frame. */
export class Writer {
  #buffer = new Uint8Array(256);
  #at = 0;

  /** A varint: 7 bits a byte, lowest first. */
  number(value: number): this {
    this.#room(8);
    while (value > 0x7f) {
      this.#buffer[this.#at++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#at++] = value;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.number(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  string(value: string): this {
    return this.bytes(utf8.encode(value));
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#at);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#at + bytes));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

/** Reads the fields of a frame; throws Malformed. */
export class Reader {
  readonly #buffer: Uint8Array;
  #at = 0;

  constructor(buffer: Uint8Array) {
    this.#buffer = buffer;
  }

  get left(): number {
    return this.#buffer.length - this.#at;
  }

  number(): number {
    let value = 0;
    // Beyond 32 bits shifts do not work: a product of powers does.
    for (let scale = 1, bytes = 1; bytes <= 8; scale *= 0x80, bytes++) {
      const byte = this.#buffer[this.#at++];
      if (byte === undefined) throw new Malformed('number: more bytes expected');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new Malformed('number: at most 2^53-1 expected');
  }

  flag(): boolean {
    const value = this.number();
    if (value > 1) throw new Malformed('flag: 0 or 1 expected');
    return value === 1;
  }

  bytes(): Uint8Array {
    const length = this.number();
    if (length > this.left) throw new Malformed('bytes: more expected');
    return this.#buffer.subarray(this.#at, (this.#at += length));
  }

  string(): string {
    try {
      return strict.decode(this.bytes());
    } catch (error) {
      throw error instanceof Malformed ? error : new Malformed('string: UTF-8 expected');
    }
  }
}
