import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Malformed } from '../src/check.js';
import { type ClientFrame, decode, encode } from '../src/protocol.js';

interface Golden {
  name: string;
  from: 'client' | 'server';
  frame: { t: string; n?: number; d: Record<string, unknown> };
}

const golden = JSON.parse(readFileSync(new URL('../../../signaling/protocol/testdata/golden.json', import.meta.url), 'utf8')) as Golden[];
const server = golden.filter((g) => g.from === 'server');

describe('golden frames', () => {
  test.each(server)('reads $name without losing a field', ({ frame }) => {
    expect(decode(JSON.stringify(frame))).toEqual(frame);
  });

  test.each(golden.filter((g) => g.from === 'client'))('writes $name', ({ frame }) => {
    expect(JSON.parse(encode(frame as unknown as ClientFrame))).toEqual(frame);
  });

  test('cover every message the server has', () => {
    const known = [
      'joined',
      'resumed',
      'ok',
      'error',
      'answer',
      'slots',
      'needOffer',
      'slotMap',
      'participantJoined',
      'participantUpdated',
    ];
    known.push('participantLeft', 'published', 'publicationUpdated', 'unpublished', 'iceServers', 'draining', 'disconnect', 'pong');
    expect(new Set(server.map((g) => g.frame.t))).toEqual(new Set(known));
  });
});

describe('what arrives is checked', () => {
  test('unknown fields are dropped', () => {
    expect(decode('{"t":"resumed","d":{"id":3,"more":1},"re":4,"x":2}')).toEqual({ t: 'resumed', d: { id: 3 }, re: 4 });
  });

  test('d may be left out when it has no fields', () => {
    expect(decode('{"t":"ok","n":2,"re":1}')).toEqual({ t: 'ok', d: {}, n: 2, re: 1 });
  });

  test('a type of a later version keeps its number', () => {
    expect(decode('{"t":"toString","n":7,"d":{}}')).toEqual({ t: 'unknown', d: { type: 'toString' }, n: 7 });
  });

  test.each(['', 'null', '[]', '{"t":1}', '{"t":"resumed"}', '{"t":"resumed","d":[]}', '{"t":"pong","n":-1}', '{"t":"pong","n":"1"}'])(
    'refuses %s',
    (text) => {
      expect(() => decode(text)).toThrow(Malformed);
    },
  );

  test('every field of every golden frame is needed and has a type', () => {
    const optional = new Set(['hint', 'username', 'credential']);
    for (const { frame } of server) {
      for (const [path, broken] of mutations(frame.d)) {
        if (optional.has(path) && broken.without) continue;
        expect(() => decode(JSON.stringify({ ...frame, d: broken.value })), `${frame.t}.${path}`).toThrow(Malformed);
      }
    }
  });

  test('a key named __proto__ stays a key', () => {
    const text =
      '{"t":"participantJoined","d":{"participant":{"sid":"a","identity":"a","name":"","metadata":"","joinedAt":1,"publications":[],"attributes":{"__proto__":"x"}}}}';
    const frame = decode(text);
    if (frame.t !== 'participantJoined') throw new Error(frame.t);
    expect(Object.keys(frame.d.participant.attributes)).toEqual(['__proto__']);
  });
});

/** Every copy of d with one field of it (at any depth of objects) left out, or of another type. */
function* mutations(d: Record<string, unknown>): Generator<[string, { value: unknown; without: boolean }]> {
  for (const [key, value] of Object.entries(d)) {
    const without = { ...d };
    delete without[key];
    yield [key, { value: without, without: true }];
    yield [key, { value: { ...d, [key]: typeof value === 'object' ? 'text' : [1] }, without: false }];
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && key !== 'attributes') {
      for (const [path, inner] of mutations(value as Record<string, unknown>))
        yield [path, { ...inner, value: { ...d, [key]: inner.value } }];
    }
  }
}
