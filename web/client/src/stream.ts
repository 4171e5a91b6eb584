// The numbered frames between this client and the server, which outlive the wire that carries them: docs/reference/data.md §3.
// It does no I/O and knows no time.
import { body, type Counted, decodeBody, encode, framed, type FromServer, type Received, WIRE_BYTES } from './frame.js';

// What is kept until it is acknowledged. When it is full, send refuses.
export const KEPT_FRAMES = 8192;
export const KEPT_BYTES = 8 << 20;
const ackFrames = 64;
const ackBytes = 64 << 10;
const fragmentBytes = WIRE_BYTES - 48; // room for the fragment's own fields
const fragmentsUnderWay = 8;
// What a fragmented frame may have beyond its payload.
const overhead = 65_536;

interface Kept {
  seq: number;
  /** The number of the first fragment of the same frame; of a whole frame its own. */
  first: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** What a welcome means for the frames that were sent before. */
export interface Welcomed {
  /** False when the server has forgotten the stream; then what was sent on it and not acknowledged is lost. */
  same: boolean;
  /** The last number that is lost; what was not sent yet is numbered from 1 after it. 0 on the same stream. */
  lost: number;
}

export class Stream {
  #id = 0;
  /** Sent or to be sent, and not acknowledged. */
  #kept: Kept[] = [];
  #keptBytes = 0;
  #lastSeq = 0;
  /** How many of #kept have gone out on this wire. */
  #gone = 0;
  /** The highest number that has gone out on any wire. */
  #sentSeq = 0;
  #received = 0;
  /** What the last hello said of #received; the wire before it went on meanwhile. */
  #saidReceived = 0;
  /** So many counted frames come again on this wire. */
  #again = 0;
  #ackedReceived = 0;
  #bytesSinceAck = 0;
  #welcomed = false;
  #messageBytes = 0;
  readonly #partial = new Map<number, { total: number; parts: Uint8Array[]; size: number }>();

  /** Whether frames may go out. */
  get open(): boolean {
    return this.#welcomed;
  }

  /** The number of the last frame that was given to send. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The largest payload, as the server said; 0 before it did. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  /** Whether anything has gone out that the server has not acknowledged. */
  get unacknowledged(): boolean {
    return (this.#kept[0]?.seq ?? Infinity) <= this.#sentSeq;
  }

  /** The first frame on a new wire. The wire before it may go on until welcome. */
  hello(): Uint8Array<ArrayBuffer> {
    this.#saidReceived = this.#received;
    return encode({ type: 'hello', version: 1, stream: this.#id, received: this.#received });
  }

  lostWire(): void {
    this.#welcomed = false;
    this.#gone = 0;
  }

  welcome(welcome: Extract<FromServer, { type: 'welcome' }>): Welcomed {
    const same = welcome.stream === this.#id;
    this.#messageBytes = welcome.messageBytes;
    this.#welcomed = true;
    this.#gone = 0;
    if (same) {
      this.#again += this.#received - this.#saidReceived;
      this.#received = this.#saidReceived;
      this.#ackedReceived = Math.min(this.#ackedReceived, this.#received);
      this.acknowledged(welcome.received);
      return { same, lost: 0 };
    }
    this.#id = welcome.stream;
    this.#received = this.#again = this.#ackedReceived = this.#bytesSinceAck = 0;
    this.#partial.clear();
    return { same, lost: this.#begin() };
  }

  /** Numbers what was never sent from 1. */
  #begin(): number {
    const left = this.#kept.filter((k) => k.first > this.#sentSeq);
    const lost = this.#lastSeq - left.length;
    this.#kept = left.map((k) => ({ ...k, seq: k.seq - lost, first: k.first - lost }));
    this.#keptBytes = left.reduce((sum, k) => sum + k.bytes.length, 0);
    this.#lastSeq = left.length;
    this.#sentSeq = 0;
    return lost;
  }

  /**
   * Numbers a frame and keeps it, cut into fragments under the id when it is large.
   * False: too much is kept already, and nothing has changed.
   */
  send(frame: Counted, id: number): boolean {
    const inner = body(frame);
    const pieces = inner.length + 4 <= WIRE_BYTES ? [framed(inner)] : fragments(id, inner);
    const bytes = pieces.reduce((sum, p) => sum + p.length, 0);
    if (this.#kept.length + pieces.length > KEPT_FRAMES || this.#keptBytes + bytes > KEPT_BYTES) return false;
    const first = this.#lastSeq + 1;
    for (const piece of pieces) this.#kept.push({ seq: ++this.#lastSeq, first, bytes: piece });
    this.#keptBytes += bytes;
    return true;
  }

  /** The next frame to go out on the wire. */
  next(): Uint8Array<ArrayBuffer> | undefined {
    if (!this.#welcomed) return undefined;
    const kept = this.#kept[this.#gone];
    if (!kept) return undefined;
    this.#gone++;
    this.#sentSeq = Math.max(this.#sentSeq, kept.seq);
    return kept.bytes;
  }

  /** The server has received so many frames. */
  acknowledged(received: number): void {
    const n = this.#kept.findIndex((k) => k.seq > received);
    const done = this.#kept.splice(0, n < 0 ? this.#kept.length : n);
    for (const kept of done) this.#keptBytes -= kept.bytes.length;
    this.#gone = Math.max(0, this.#gone - done.length);
  }

  /** Counts what came; gives the frame it means, when it is whole. */
  receive({ counted, bytes, frame }: Received): FromServer | undefined {
    if (counted) {
      this.#received++;
      this.#bytesSinceAck += bytes;
      if (this.#again > 0) {
        this.#again--;
        return undefined;
      }
    }
    if (frame.type === 'gap') this.#partial.clear();
    return frame.type === 'fragment' ? this.#assemble(frame) : frame;
  }

  /** Whether an ack should not wait for its time. */
  get ackDue(): boolean {
    return this.#received - this.#ackedReceived >= ackFrames || this.#bytesSinceAck >= ackBytes;
  }

  /** Whether there is anything to acknowledge. */
  get ackWaits(): boolean {
    return this.#received > this.#ackedReceived;
  }

  ack(): Uint8Array<ArrayBuffer> {
    this.#ackedReceived = this.#received;
    this.#bytesSinceAck = 0;
    return encode({ type: 'ack', received: this.#received });
  }

  #assemble(f: Extract<FromServer, { type: 'fragment' }>): FromServer | undefined {
    if (f.offset === 0) {
      if (f.total > this.#messageBytes + overhead || this.#partial.size >= fragmentsUnderWay) return undefined;
      this.#partial.set(f.id, { total: f.total, parts: [], size: 0 });
    }
    const partial = this.#partial.get(f.id);
    if (!partial) return undefined;
    partial.parts.push(f.data.slice());
    const fits = f.total === partial.total && f.offset === partial.size && f.offset + f.data.length <= f.total && f.data.length > 0;
    partial.size += f.data.length;
    if (!fits || partial.size === partial.total) this.#partial.delete(f.id);
    if (!fits || partial.size < partial.total) return undefined;
    const whole = decodeBody(join(partial.parts, partial.total));
    return whole.type === 'fragment' ? undefined : whole;
  }
}

function fragments(id: number, inner: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const out: Uint8Array<ArrayBuffer>[] = [];
  for (let offset = 0; offset < inner.length; offset += fragmentBytes) {
    out.push(encode({ type: 'fragment', id, offset, total: inner.length, data: inner.subarray(offset, offset + fragmentBytes) }));
  }
  return out;
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
