import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Malformed } from '../src/check.js';
import { decode, encode, type ToServer } from '../src/frame.js';
import { seeded } from './random.js';

interface Golden {
  name: string;
  from: 'client' | 'server';
  hex: string;
  frames?: { type: string }[];
  error?: string;
}

interface Valid extends Golden {
  frames: { type: string }[];
}

const golden = JSON.parse(readFileSync(new URL('../../../datachannel/frame/testdata/golden.json', import.meta.url), 'utf8')) as Golden[];
const valid = golden.filter((g): g is Valid => g.frames !== undefined);
// Frames that no client of ours writes.
const odd = new Set(['bytes behind the known fields are ignored', 'number in more bytes than needed']);
const isMade = (g: Valid): boolean => !odd.has(g.name) && g.frames.every((f) => f.type !== 'unknown' && f.type !== 'malformed');

const bytes = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (b) => parseInt(b, 16));
const hex = (b: Uint8Array): string => [...b].map((x) => x.toString(16).padStart(2, '0')).join('');

/** Bytes as the golden file writes them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  return value;
}

const binary = new Set(['payload', 'data', 'update', 'stateVector']);

function unplain(value: Record<string, unknown>): ToServer {
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, binary.has(k) ? bytes(v as string) : v])) as unknown as ToServer;
}

describe('golden frames', () => {
  const server = valid.filter((g) => g.from === 'server');
  test.each(server)('reads $name', (g) => {
    expect(plain(decode(bytes(g.hex)).map((r) => r.frame))).toEqual(g.frames);
  });

  const client = valid.filter((g) => g.from === 'client' && isMade(g));
  test.each(client)('writes $name', (g) => {
    const written = g.frames.map((f) => hex(encode(unplain(f))));
    expect(written.join('')).toBe(g.hex);
  });

  test.each(golden.filter((g) => g.error === 'framing'))('cannot divide: $name', (g) => {
    expect(() => decode(bytes(g.hex))).toThrow(Malformed);
  });

  test('are all looked at', () => {
    expect(server.length).toBeGreaterThan(8);
    expect(client.length).toBeGreaterThan(8);
  });
});

describe('a wire message', () => {
  test.each(['', '00', '05', '0212', 'ffffffffffffffffff01', '8080808080808001'])('of %s is refused', (bad) => {
    expect(() => decode(bytes(bad))).toThrow(Malformed);
  });

  test('that is too large is refused', () => {
    expect(() => decode(new Uint8Array(16_385))).toThrow(Malformed);
  });

  test('with a body that ends too early is counted and otherwise ignored', () => {
    expect(decode(bytes('021205'))).toEqual([{ counted: true, bytes: 2, frame: { type: 'malformed', number: 0x12 } }]);
  });

  test('of any bytes is read or refused, and nothing else', () => {
    const random = seeded(7);
    const seeds = valid.map((g) => bytes(g.hex));
    for (let i = 0; i < 20_000; i++) {
      const message =
        random.next() < 0.3 ? Uint8Array.from({ length: random.below(40) }, () => random.below(256)) : random.pick(seeds).slice();
      if (message.length > 0) for (let n = random.below(4); n > 0; n--) message[random.below(message.length)] = random.below(256);
      try {
        decode(message.subarray(0, random.below(message.length + 1)));
      } catch (error) {
        expect(error).toBeInstanceOf(Malformed);
      }
    }
  });
});
