// Frames of the data protocol, version 1: docs/reference/data.md. Those a client says are written here, those a server says are read.
import { Reader, Writer } from './bytes.js';
import { Malformed } from './check.js';

/** The largest wire message. */
export const WIRE_BYTES = 16_384;

export interface Send<Type = 'send' | 'sendLossy'> {
  type: Type;
  id: number;
  topic: string;
  /** 0 all others, 1 these identities, 2 the server. */
  to: 0 | 1 | 2;
  identities: readonly string[];
  payload: Uint8Array;
}
export interface Fragment {
  type: 'fragment';
  id: number;
  offset: number;
  total: number;
  data: Uint8Array;
}

export interface DocAwareness {
  type: 'docAwareness';
  doc: number;
  update: Uint8Array;
}

export type ToServer =
  | { type: 'hello'; version: number; stream: number; received: number }
  | { type: 'ack'; received: number }
  | Send<'send'>
  | Send<'sendLossy'>
  | { type: 'presenceSet'; clock: number; present: boolean; data: Uint8Array }
  | { type: 'docOpen'; id: number; doc: number; name: string; stateVector: Uint8Array }
  | { type: 'docUpdate'; id: number; doc: number; update: Uint8Array }
  | DocAwareness
  | { type: 'docClose'; doc: number }
  | Fragment;

/** What is numbered on its way to the server. */
export type Counted = Extract<ToServer, { type: 'send' | 'docOpen' | 'docUpdate' | 'docAwareness' | 'docClose' }>;

export interface PresenceEntry {
  identity: string;
  clock: number;
  present: boolean;
  data: Uint8Array;
}

export type FromServer =
  | { type: 'welcome'; version: number; stream: number; received: number; messageBytes: number; presenceBytes: number; presenceTTL: number }
  | { type: 'ack'; received: number }
  | { type: 'message' | 'messageLossy'; from: string; topic: string; payload: Uint8Array }
  | { type: 'error'; id: number; code: string; message: string; hint: string; retryable: boolean }
  | Fragment
  | { type: 'gap'; dropped: number }
  | { type: 'presence'; full: boolean; entries: PresenceEntry[] }
  | FromDocument
  /** A type of a later version. */
  | { type: 'unknown'; number: number }
  /** A body that does not follow the page. */
  | { type: 'malformed'; number: number };

/** What the server says about one open document. */
export type FromDocument =
  | { type: 'docState'; doc: number; writable: boolean; epoch: number; seq: number; update: Uint8Array; stateVector: Uint8Array }
  | { type: 'docChange'; doc: number; epoch: number; seq: number; update: Uint8Array }
  | { type: 'docAck'; id: number; doc: number; epoch: number; seq: number }
  | DocAwareness
  | { type: 'docClosed'; doc: number; code: string; message: string; hint: string; retryable: boolean };

/** A frame of the server; counted ones are numbered and acknowledged. */
export interface Received {
  counted: boolean;
  bytes: number;
  frame: FromServer;
}

const code = { hello: 1, welcome: 2, ack: 3, sendLossy: 4, messageLossy: 5, presenceSet: 6 } as const;
const counted = { error: 0x10, send: 0x11, message: 0x12, fragment: 0x13, gap: 0x14, presence: 0x15 } as const;
const doc = { open: 0x20, state: 0x21, update: 0x22, change: 0x23, ack: 0x24, awareness: 0x25, close: 0x26, closed: 0x27 } as const;
const firstCounted = 0x10;

/** The type and body of a frame, without its length. */
export function body(frame: ToServer): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  switch (frame.type) {
    case 'hello':
      w.number(code.hello).number(frame.version).number(frame.stream).number(frame.received);
      break;
    case 'ack':
      w.number(code.ack).number(frame.received);
      break;
    case 'send':
    case 'sendLossy':
      w.number(frame.type === 'send' ? counted.send : code.sendLossy)
        .number(frame.id)
        .string(frame.topic)
        .number(frame.to)
        .number(frame.identities.length);
      for (const identity of frame.identities) w.string(identity);
      w.bytes(frame.payload);
      break;
    case 'presenceSet':
      w.number(code.presenceSet)
        .number(frame.clock)
        .number(frame.present ? 1 : 0)
        .bytes(frame.data);
      break;
    case 'fragment':
      w.number(counted.fragment).number(frame.id).number(frame.offset).number(frame.total).bytes(frame.data);
      break;
    case 'docOpen':
      w.number(doc.open).number(frame.id).number(frame.doc).string(frame.name).bytes(frame.stateVector);
      break;
    case 'docUpdate':
      w.number(doc.update).number(frame.id).number(frame.doc).bytes(frame.update);
      break;
    case 'docAwareness':
      w.number(doc.awareness).number(frame.doc).bytes(frame.update);
      break;
    case 'docClose':
      w.number(doc.close).number(frame.doc);
      break;
    default:
      frame satisfies never;
  }
  return w.done();
}

/** A whole frame: length, type and body. */
export function framed(inner: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Writer().bytes(inner).done();
}

export function encode(frame: ToServer): Uint8Array<ArrayBuffer> {
  return framed(body(frame));
}

/** Divides a wire message into its frames. Throws Malformed when that cannot be done. */
export function decode(message: Uint8Array): Received[] {
  if (message.length === 0 || message.length > WIRE_BYTES) throw new Malformed('wire message: 1 to 16384 bytes expected');
  const r = new Reader(message);
  const out: Received[] = [];
  while (r.left > 0) {
    const inner = r.bytes();
    if (inner.length === 0) throw new Malformed('frame: a type expected');
    out.push({ counted: isCounted(inner), bytes: inner.length, frame: decodeBody(inner) });
  }
  return out;
}

function isCounted(inner: Uint8Array): boolean {
  return new Reader(inner).number() >= firstCounted;
}

/** Reads the type and body of a frame. */
export function decodeBody(inner: Uint8Array): FromServer {
  const r = new Reader(inner);
  const type = r.number();
  try {
    return read(type, r);
  } catch (error) {
    if (error instanceof Malformed) return { type: 'malformed', number: type };
    throw error;
  }
}

function read(type: number, r: Reader): FromServer {
  switch (type) {
    case code.welcome: {
      const [version, stream, received] = [r.number(), r.number(), r.number()];
      return { type: 'welcome', version, stream, received, messageBytes: r.number(), presenceBytes: r.number(), presenceTTL: r.number() };
    }
    case code.ack:
      return { type: 'ack', received: r.number() };
    case code.messageLossy:
    case counted.message:
      return { type: type === counted.message ? 'message' : 'messageLossy', from: r.string(), topic: r.string(), payload: r.bytes() };
    case counted.error:
      return { type: 'error', id: r.number(), code: r.string(), message: r.string(), hint: r.string(), retryable: r.flag() };
    case counted.fragment:
      return { type: 'fragment', id: r.number(), offset: r.number(), total: r.number(), data: r.bytes() };
    case counted.gap:
      return { type: 'gap', dropped: r.number() };
    case counted.presence:
      return { type: 'presence', full: r.flag(), entries: presence(r) };
    case doc.state: {
      const [number, writable, epoch, seq] = [r.number(), r.flag(), r.number(), r.number()];
      return { type: 'docState', doc: number, writable, epoch, seq, update: r.bytes(), stateVector: r.bytes() };
    }
    case doc.change:
      return { type: 'docChange', doc: r.number(), epoch: r.number(), seq: r.number(), update: r.bytes() };
    case doc.ack:
      return { type: 'docAck', id: r.number(), doc: r.number(), epoch: r.number(), seq: r.number() };
    case doc.awareness:
      return { type: 'docAwareness', doc: r.number(), update: r.bytes() };
    case doc.closed:
      return { type: 'docClosed', doc: r.number(), code: r.string(), message: r.string(), hint: r.string(), retryable: r.flag() };
    default:
      return { type: 'unknown', number: type };
  }
}

function presence(r: Reader): PresenceEntry[] {
  const entries: PresenceEntry[] = [];
  for (let n = r.number(); n > 0; n--) entries.push({ identity: r.string(), clock: r.number(), present: r.flag(), data: r.bytes() });
  return entries;
}
