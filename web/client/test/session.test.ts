import { describe, expect, test } from 'vitest';
import type { ClientFrame, ServerFrame } from '../src/protocol.js';
import { Session } from '../src/session.js';
import { joinedAs } from './fakes.js';
import { seeded } from './random.js';

const join = { protocol: 1, client: { name: 'test', version: '1' } } as const;

function live(): Session {
  const session = new Session();
  session.join(join);
  session.receive({ t: 'joined', n: 1, re: 1, d: joinedAs('ada') });
  return session;
}

describe('a session', () => {
  test('joins with request 1 and counts on', () => {
    const session = new Session();
    expect(session.join(join)).toEqual({ t: 'join', id: 1, d: join });
    expect(session.receive({ t: 'joined', n: 1, re: 1, d: joinedAs('ada') }).kind).toBe('joined');
    expect(session.request({ t: 'unpublish', d: { id: 'x' } }).id).toBe(2);
  });

  test('gives a reply to its request once', () => {
    const session = live();
    const { id } = session.request({ t: 'mute', d: { id: 'x', muted: true } });
    expect(session.receive({ t: 'ok', n: 2, re: id, d: {} })).toEqual({ kind: 'reply', id, message: { t: 'ok', d: {} } });
    expect(session.receive({ t: 'ok', n: 2, re: id, d: {} }).kind).toBe('repeated');
  });

  test('sees a missing message', () => {
    const session = live();
    expect(session.receive({ t: 'draining', n: 3, d: { deadlineMs: 1 } }).kind).toBe('hole');
    expect(session.lastN).toBe(1);
  });

  test('a resume names what was seen, and repeats what the server has not carried out', () => {
    const session = live();
    const done = session.request({ t: 'unpublish', d: { id: 'a' } });
    const lost = session.request({ t: 'unpublish', d: { id: 'b' } });
    const resume = session.resume();
    expect(resume).toMatchObject({ t: 'resume', id: 4, d: { session: 'SE_ada', secret: 's', n: 1 } });
    expect(session.receive({ t: 'resumed', re: 4, d: { id: done.id } })).toEqual({ kind: 'resumed', resend: [lost] });
    expect(session.receive({ t: 'ok', n: 2, re: done.id, d: {} }).kind).toBe('reply');
  });

  test('a refused resume leaves open requests to be abandoned', () => {
    const session = live();
    const open = session.request({ t: 'unpublish', d: { id: 'a' } });
    session.resume();
    const gone = { code: 'session.gone', message: 'too late', retryable: false };
    expect(session.receive({ t: 'error', re: 3, d: gone }).kind).toBe('gone');
    expect(session.abandon()).toEqual([open.id]);
    expect(session.resumable).toBe(false);
    expect(session.join(join)).toMatchObject({ id: 1 });
  });

  test('a refused join is told', () => {
    const session = new Session();
    session.join(join);
    expect(session.receive({ t: 'error', re: 1, d: { code: 'room.full', message: 'full', retryable: true } }).kind).toBe('refused');
  });
});

/** A server that keeps what was not acknowledged, as the protocol says. */
class ModelServer {
  readonly carriedOut: number[] = [];
  readonly #kept: ServerFrame[] = [];
  #n = 1;

  take(frame: ClientFrame): ServerFrame[] {
    if (frame.t === 'resume') {
      const from = frame.d.n;
      return [{ t: 'resumed', re: frame.id, d: { id: this.carriedOut.at(-1) ?? 1 } }, ...this.#kept.filter((k) => (k.n ?? 0) > from)];
    }
    if (!('id' in frame)) return [];
    this.carriedOut.push(frame.id);
    return [this.say({ t: 'ok', d: {}, re: frame.id })];
  }

  say(message: ServerFrame): ServerFrame {
    const frame = { ...message, n: ++this.#n };
    this.#kept.push(frame);
    return frame;
  }
}

test('whatever is lost with the WebSocket, every request is carried out once and every message is seen once, in order', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = seeded(seed);
    const session = live();
    const server = new ModelServer();
    let up: ClientFrame[] = [];
    let down: ServerFrame[] = [];
    const asked: number[] = [];
    const replied: number[] = [];
    const seen: string[] = [];
    const said: string[] = [];
    let attached = true;
    const receive = (frame: ServerFrame): void => {
      const got = session.receive(frame);
      if (got.kind === 'resumed') {
        attached = true;
        up.push(...got.resend);
      }
      if (got.kind === 'reply') replied.push(got.id);
      else if (got.kind === 'message' && got.message.t === 'participantLeft') seen.push(got.message.d.sid);
      else if (got.kind === 'hole') throw new Error(`a hole with seed ${seed}`);
    };
    const steps = [
      () => {
        const frame = session.request({ t: 'unpublish', d: { id: 'x' } });
        asked.push(frame.id);
        if (attached) up.push(frame);
      },
      () => {
        const sid = `PA_${said.length}`;
        said.push(sid);
        down.push(server.say({ t: 'participantLeft', d: { sid, identity: sid, reason: 'left' } }));
      },
      () => up.splice(0, 1).forEach((f) => down.push(...server.take(f))),
      () => down.splice(0, 1).forEach(receive),
      () => {
        if (random.next() > 0.2) return;
        // The WebSocket drops: what is on its way is lost, and so is what the server says until it has the resume.
        up = [];
        attached = false;
        down = [];
        down.push(...server.take(session.resume()));
      },
    ];
    for (let i = 0; i < 200; i++) random.pick(steps)();
    down = [];
    up = [];
    down.push(...server.take(session.resume()));
    while (up.length > 0 || down.length > 0) {
      down.splice(0).forEach(receive);
      up.splice(0).forEach((f) => down.push(...server.take(f)));
    }
    expect(server.carriedOut, `seed ${seed}`).toEqual(asked);
    expect(replied, `seed ${seed}`).toEqual(asked);
    expect(seen, `seed ${seed}`).toEqual(said);
  }
});
