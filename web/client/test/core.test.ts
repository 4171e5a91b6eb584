import { describe, expect, test } from 'vitest';
import { usualBackoff, waitBefore } from '../src/backoff.js';
import { afterClose } from '../src/closing.js';
import { Negotiation } from '../src/negotiation.js';
import { Speakers } from '../src/speakers.js';
import { seeded } from './random.js';

describe('backoff', () => {
  test('tries at once, then doubles up to the longest wait, half of it jitter', () => {
    expect(waitBefore(0, 0.9)).toBe(0);
    expect(waitBefore(1, 0)).toBe(150);
    expect(waitBefore(1, 1)).toBe(300);
    expect(waitBefore(3, 0)).toBe(600);
    expect(waitBefore(20, 1)).toBe(usualBackoff.maxMs);
    expect(waitBefore(usualBackoff.maxAttempts, 0)).toBeUndefined();
  });
});

describe('a closed WebSocket', () => {
  const why = (code: number, more = {}): string => {
    const next = afterClose({ code, newToken: true, ...more });
    return next.kind === 'end' ? next.reason : next.kind;
  };
  test.each([
    [1000, 'client'],
    [1001, 'rejoin'],
    [1003, 'protocol'],
    [1006, 'resume'],
    [1008, 'joinRejected'],
    [1009, 'protocol'],
    [1013, 'rejoin'],
    [4000, 'protocol'],
    [4001, 'kicked'],
    [4002, 'roomEnded'],
    [4003, 'duplicateIdentity'],
    [4005, 'rejoin'],
    [4006, 'rejoin'],
    [4007, 'protocol'],
    [4008, 'resume'],
    [4009, 'duplicateIdentity'],
  ])('with %i: %s', (code, next) => expect(why(code)).toBe(next));

  test('with an expired token asks for another one, when there is a way to ask', () => {
    const error = { code: 'auth.expired', message: 'old', retryable: false };
    expect(why(1008, { error })).toBe('rejoin');
    expect(why(1008, { error, newToken: false })).toBe('tokenExpired');
  });
});

describe('negotiation', () => {
  const started = (): Negotiation => {
    const n = new Negotiation();
    n.joined({ audio: 3, video: 6 });
    return n;
  };

  test('merges wishes that come up during an offer into one', () => {
    const n = started();
    expect(n.next()).toEqual({ transport: 1, rev: 1, iceRestart: false });
    n.want();
    n.wantSlots({ rev: 1, audio: 4, video: 8 });
    n.wantIceRestart();
    expect(n.next()).toBeUndefined();
    n.applied(1);
    expect(n.next()).toEqual({ transport: 1, rev: 2, iceRestart: true });
    n.applied(2);
    expect(n.next()).toBeUndefined();
  });

  test('ignores an old wish for slots and never shrinks', () => {
    const n = started();
    expect(n.wantSlots({ rev: 2, audio: 5, video: 4 })).toBe(true);
    expect(n.slots).toEqual({ audio: 5, video: 6 });
    expect(n.wantSlots({ rev: 2, audio: 9, video: 9 })).toBe(false);
  });

  test('a refused offer keeps its wishes when told so', () => {
    const n = started();
    n.next();
    n.applied(1);
    n.wantIceRestart();
    n.next();
    n.refused(2, true);
    expect(n.next()).toEqual({ transport: 1, rev: 3, iceRestart: true });
    n.refused(3, false);
    expect(n.next()).toBeUndefined();
  });

  test('an answer for the transport before is not expected', () => {
    const n = started();
    n.next();
    n.newTransport();
    expect(n.expects({ transport: 1, rev: 1 })).toBe(false);
    expect(n.next()).toEqual({ transport: 2, rev: 2, iceRestart: false });
    expect(n.expects({ transport: 2, rev: 2 })).toBe(true);
  });

  test('whatever happens, one offer is in flight and no wish is forgotten', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seeded(seed);
      const n = started();
      let inFlight = 0;
      let wished = true;
      let slotsRev = 0;
      const steps = [
        () => ((wished = true), n.want()),
        () => ((wished = true), n.wantIceRestart()),
        () => (wished = n.wantSlots({ rev: ++slotsRev, audio: random.below(9), video: random.below(20) }) || wished),
        () => {
          const offer = n.next();
          expect(offer !== undefined, `seed ${seed}`).toBe(inFlight === 0 && wished);
          if (offer) [inFlight, wished] = [offer.rev, false];
        },
        () => (n.applied(inFlight), (inFlight = 0)),
        () => {
          const again = random.next() < 0.5;
          if (inFlight) wished ||= again;
          n.refused(inFlight, again);
          inFlight = 0;
        },
        () => ((wished = true), (inFlight = 0), n.newTransport()),
      ];
      for (let i = 0; i < 100; i++) random.pick(steps)();
    }
  });
});

describe('speakers', () => {
  test('speak until they have been quiet for a while', () => {
    const s = new Speakers();
    expect(s.update(0, new Map([['a', 0.001]]))).toBeUndefined();
    expect(
      s.update(
        100,
        new Map([
          ['a', 0.2],
          ['b', 0.4],
        ]),
      ),
    ).toEqual(['b', 'a']);
    expect(
      s.update(
        300,
        new Map([
          ['a', 0.5],
          ['b', 0.1],
        ]),
      ),
    ).toBeUndefined();
    expect(
      s.update(
        700,
        new Map([
          ['a', 0.5],
          ['b', 0],
        ]),
      ),
    ).toBeUndefined();
    expect(
      s.update(
        1100,
        new Map([
          ['a', 0.5],
          ['b', 0],
        ]),
      ),
    ).toEqual(['a']);
    expect(s.update(1200, new Map())).toEqual([]);
  });
});
