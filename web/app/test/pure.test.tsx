import { TurnoutError } from '@turnout/client';
import { describe, expect, test } from 'vitest';
import { grid } from '../src/call/layout.js';
import { linked } from '../src/call/linked.js';
import { newRoom, pathOf, roomFrom, roomIn } from '../src/route.js';
import { invitation, nameIn } from '../src/token.js';
import { initials } from '../src/ui/Avatar.js';
import { wordsFor, wordsForEnd } from '../src/words.js';

describe('the address', () => {
  test.each(['standup', 'Früh stück', 'a/b?c#d', '日本'])('of room %s leads back to it', (room) => {
    expect(roomIn(pathOf(room))).toBe(room);
  });

  test('that is no room is the lobby', () => {
    for (const path of ['/', '/r/', '/r/a/b', '/r/%', '/x']) expect(roomIn(path)).toBeUndefined();
  });

  test('typed or pasted is understood', () => {
    expect(roomFrom('  Team stand up ')).toBe('Team-stand-up');
    expect(roomFrom('https://meet.example.org/r/standup#token=x')).toBe('standup');
    expect(roomFrom('  ')).toBe('');
  });

  test('of a new room can be typed', () => {
    expect(newRoom()).toMatch(/^[a-z]+-[a-z]+-\d{4}$/);
  });
});

describe('an invitation', () => {
  const token = `x.${btoa(String.fromCharCode(...new TextEncoder().encode('{"name":"Zoë"}'))).replace(/=/g, '')}.y`;

  test('stands in the fragment, with the name of who is invited', () => {
    expect(invitation(`#token=${token}`)).toBe(token);
    expect(nameIn(token)).toBe('Zoë');
  });

  test('that is broken has no name', () => {
    for (const bad of ['', 'a', 'a.b.c', 'a.bnVsbA.c']) expect(nameIn(bad)).toBeUndefined();
    expect(invitation('#')).toBeUndefined();
  });
});

describe('the grid', () => {
  test('keeps all tiles inside, in any window', () => {
    for (let tiles = 1; tiles <= 49; tiles++) {
      for (const [w, h] of [
        [1440, 740],
        [390, 700],
        [844, 300],
        [200, 200],
      ] as const) {
        const g = grid(tiles, w, h, 12);
        expect(g.columns * g.width + (g.columns - 1) * 12).toBeLessThanOrEqual(w);
        expect(g.rows * g.height + (g.rows - 1) * 12).toBeLessThanOrEqual(h);
        expect(g.columns * g.rows).toBeGreaterThanOrEqual(tiles);
      }
    }
  });

  test('stands people side by side on a desk and one above the other on a phone', () => {
    expect(grid(2, 1440, 740, 12)).toMatchObject({ columns: 2, rows: 1 });
    expect(grid(2, 390, 700, 12)).toMatchObject({ columns: 1, rows: 2 });
  });

  test('of a window without size is nothing', () => {
    expect(grid(3, 0, 0, 12)).toMatchObject({ width: 0, height: 0 });
  });
});

test('web addresses become links, and nothing else does', () => {
  const parts = linked('see https://a.example/x?y=1. or javascript:alert(1)');
  expect(parts.filter((p) => typeof p === 'object')).toHaveLength(1);
  expect(parts[1]).toMatchObject({ props: { href: 'https://a.example/x?y=1', rel: 'noopener noreferrer' } });
  expect(parts.at(-1)).toBe('. or javascript:alert(1)');
});

test('initials are one or two letters of any script', () => {
  expect(['Ada Lovelace', 'ada', '李', '🦊 fox', ''].map(initials)).toEqual(['AL', 'A', '李', '🦊F', '?']);
});

describe('words', () => {
  const codes = [
    'auth.missing',
    'auth.invalid',
    'auth.expired',
    'auth.forbidden',
    'room.full',
    'server.full',
    'identity.taken',
    'net.unreachable',
    'media.denied',
    'anything.else',
  ];
  test.each(codes)('for %s say what to do', (code) => {
    const { title, text } = wordsFor(new TurnoutError(code, 'it did not work', { retryable: true }));
    expect(title.length).toBeGreaterThan(10);
    expect(text.length).toBeGreaterThan(10);
    expect(`${title} ${text}`).not.toContain(code);
  });

  test('for every end say why', () => {
    for (const reason of [
      'client',
      'kicked',
      'roomEnded',
      'duplicateIdentity',
      'tokenExpired',
      'serverShutdown',
      'networkLost',
      'joinRejected',
      'protocol',
      'flood',
    ] as const) {
      expect(wordsForEnd(reason, undefined).title.length).toBeGreaterThan(10);
    }
  });
});
