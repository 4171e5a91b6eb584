import { describe, expect, test } from 'vitest';
import type { ServerMessage } from '../src/protocol.js';
import { initial, type Message, reduce, type RoomData } from '../src/state.js';
import { joinedAs, person } from './fakes.js';
import { seeded } from './random.js';

const after = (...messages: Message[]): RoomData => messages.reduce(reduce, initial);
const bob = person('bob', [{ id: 'TR_b', kind: 'video', source: 'camera', muted: false }]);
const joined: ServerMessage = { t: 'joined', d: joinedAs('ada', [bob]) };

describe('the room', () => {
  test('a message changes no value that was given out', () => {
    const before = after(joined);
    const kept = structuredClone({ ...before, participants: [...before.participants] });
    reduce(before, {
      t: 'published',
      d: { participant: 'PA_bob', publication: { id: 'x', kind: 'audio', source: 'microphone', muted: false } },
    });
    reduce(before, { t: 'participantLeft', d: { sid: 'PA_bob', identity: 'bob', reason: 'left' } });
    expect({ ...before, participants: [...before.participants] }).toEqual(kept);
  });

  test('an old slot map is ignored', () => {
    const state = after(
      joined,
      { t: 'slotMap', d: { version: 2, slots: [{ slot: 'v0', publication: 'TR_b' }] } },
      { t: 'slotMap', d: { version: 1, slots: [] } },
    );
    expect([...state.slotMap.publications]).toEqual([['v0', 'TR_b']]);
  });

  test('a message about somebody unknown changes nothing', () => {
    const state = after(joined);
    expect(reduce(state, { t: 'unpublished', d: { participant: 'PA_x', id: 'TR_b' } })).toBe(state);
    expect(reduce(state, { t: 'participantLeft', d: { sid: 'PA_x', identity: 'x', reason: 'left' } })).toBe(state);
  });

  test('a moderator who mutes my publication is seen in myself', () => {
    const publication = { id: 'TR_me', kind: 'audio', source: 'microphone', muted: true } as const;
    const state = after(joined, { t: 'publicationUpdated', d: { participant: 'PA_ada', publication } });
    expect(state.self?.publications).toEqual([publication]);
  });

  test('after the end nobody is left, and the reason is known', () => {
    const state = after(joined, { t: 'disconnected', reason: 'kicked' });
    expect(state).toMatchObject({ connection: 'disconnected', reason: 'kicked', links: { signal: 'down', media: 'down', data: 'down' } });
    expect(state.participants.size).toBe(0);
  });
});

test('random messages leave the room as a naive model has it', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = seeded(seed);
    let state = after({ t: 'joined', d: joinedAs('ada') });
    const model: Record<string, Record<string, boolean>> = {}; // sid → publication → muted
    for (let i = 0; i < 120; i++) {
      const identity = random.pick(['b', 'c', 'd', 'e']);
      const sid = `PA_${identity}`;
      const id = random.pick(['1', '2', '3']);
      const muted = random.next() < 0.5;
      const publication = { id: `${sid}${id}`, kind: 'audio', source: 'microphone', muted } as const;
      const there = model[sid];
      switch (random.below(5)) {
        case 0:
          state = reduce(state, { t: 'participantJoined', d: { participant: person(identity) } });
          model[sid] = {};
          break;
        case 1:
          state = reduce(state, { t: 'participantLeft', d: { sid, identity, reason: 'left' } });
          delete model[sid];
          break;
        case 2:
        case 3:
          state = reduce(state, { t: random.pick(['published', 'publicationUpdated']), d: { participant: sid, publication } });
          if (there) there[publication.id] = muted;
          break;
        default:
          state = reduce(state, { t: 'unpublished', d: { participant: sid, id: publication.id } });
          if (there) delete there[publication.id];
      }
    }
    const seen = Object.fromEntries(
      [...state.participants].map(([sid, p]) => [sid, Object.fromEntries(p.publications.map((pub) => [pub.id, pub.muted]))]),
    );
    expect(seen, `seed ${seed}`).toEqual(model);
  }
});
