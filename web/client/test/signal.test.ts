import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { usualBackoff } from '../src/backoff.js';
import type { TurnoutError } from '../src/errors.js';
import { Signal, type SignalOptions, type Token } from '../src/signal.js';
import { FakeSocket, joinedAs, settle } from './fakes.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface World {
  signal: Signal;
  sockets: FakeSocket[];
  events: string[];
  /** The newest socket. */
  socket(): FakeSocket;
}

function world(token?: Token, more: Partial<SignalOptions> = {}): World {
  const sockets: FakeSocket[] = [];
  const events: string[] = [];
  const socket = (): FakeSocket => {
    const last = sockets.at(-1);
    if (!last) throw new Error('no socket yet');
    return last;
  };
  const signal = new Signal(
    {
      url: 'ws://test/ws',
      token,
      autoSubscribe: true,
      backoff: { ...usualBackoff, maxAttempts: 5 },
      random: () => 1,
      openSocket: (url, protocols) => {
        const made = new FakeSocket(url, protocols);
        sockets.push(made);
        return made;
      },
      log: () => undefined,
      ...more,
    },
    {
      joined: (_, again) => events.push(again ? 'joined again' : 'joined'),
      resumed: () => events.push('resumed'),
      message: (m) => events.push(m.t),
      binary: (b) => events.push(`binary ${b.length}`),
      lost: () => events.push('lost'),
      ended: (reason) => events.push(`ended ${reason}`),
    },
  );
  return { signal, sockets, events, socket };
}

async function live(token?: Token, more?: Partial<SignalOptions>): Promise<World> {
  const w = world(token, more);
  const connecting = w.signal.connect();
  await settle();
  w.socket().open();
  w.socket().say({ t: 'joined', n: 1, re: 1, d: joinedAs('ada') });
  await connecting;
  return w;
}

/** The resume is answered: the server has carried out everything up to this request. */
function resumed(w: World, carriedOut: number): void {
  w.socket().open();
  const resume = w.socket().sent[0];
  if (resume?.t !== 'resume') throw new Error(`${resume?.t} instead of resume`);
  w.socket().say({ t: 'resumed', re: resume.id, d: { id: carriedOut } });
}

describe('joining', () => {
  test('gives the token as a sub-protocol, where no log of URLs sees it', async () => {
    const w = await live('head.body.sig');
    expect(w.socket().protocols).toEqual(['turnout.v1', 'access_token_head.body.sig']);
    expect(w.socket().sent[0]).toEqual({ t: 'join', id: 1, d: { protocol: 1, client: { name: '@turnout/client', version: '0.1.0' } } });
    expect(w.events).toEqual(['joined']);
  });

  test('gives a token that is none in the message, for the server to refuse', async () => {
    const w = world('not a token');
    void w.signal.connect().catch(() => undefined);
    await settle();
    w.socket().open();
    expect(w.socket().protocols).toEqual(['turnout.v1']);
    expect(w.socket().sent[0]).toMatchObject({ d: { token: 'not a token' } });
  });

  test('tells why it was refused, and does not try again', async () => {
    const w = world('t');
    const connecting = w.signal.connect();
    await settle();
    w.socket().open();
    w.socket().say({ t: 'error', d: { code: 'auth.expired', message: 'too old', retryable: false } });
    w.socket().drop(1008);
    await expect(connecting).rejects.toMatchObject({ code: 'auth.expired', message: 'too old' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.sockets).toHaveLength(1);
  });

  test('tells when nothing answers', async () => {
    const w = world('t');
    const connecting = w.signal.connect();
    const refused = expect(connecting).rejects.toMatchObject({ code: 'net.timeout', retryable: true });
    await vi.advanceTimersByTimeAsync(10_000);
    await refused;
  });

  test('can be stopped', async () => {
    const w = world('t');
    const stop = new AbortController();
    const connecting = w.signal.connect(stop.signal);
    await settle();
    stop.abort();
    await expect(connecting).rejects.toMatchObject({ code: 'aborted' });
    expect(w.socket().closedWith).toBe(1000);
    const late = world('t');
    await expect(late.signal.connect(stop.signal)).rejects.toMatchObject({ code: 'aborted' });
    expect(late.events).toEqual(['ended client']);
  });
});

describe('a dropped WebSocket', () => {
  test('is resumed at once, and open requests are asked again', async () => {
    const w = await live('t');
    const muting = w.signal.request({ t: 'mute', d: { id: 'x', muted: true } });
    w.socket().drop();
    await vi.advanceTimersByTimeAsync(0);
    expect(w.sockets).toHaveLength(2);
    expect(w.socket().protocols).toEqual(['turnout.v1']); // a token may be too old by now, and is not needed
    const unpublishing = w.signal.request({ t: 'unpublish', d: { id: 'y' } });
    resumed(w, 1);
    expect(w.socket().types).toEqual(['resume', 'mute', 'unpublish']);
    w.socket().say({ t: 'ok', n: 2, re: 2, d: {} });
    w.socket().say({ t: 'error', n: 3, re: 3, d: { code: 'publication.notFound', message: 'no y', retryable: false } });
    await expect(muting).resolves.toMatchObject({ t: 'ok' });
    await expect(unpublishing).rejects.toMatchObject({ code: 'publication.notFound' });
    expect(w.events).toEqual(['joined', 'lost', 'resumed']);
  });

  test('loses and doubles no message', async () => {
    const w = await live('t');
    w.socket().say({ t: 'slots', n: 2, d: { rev: 1, audio: 1, video: 1 } });
    w.socket().drop();
    await vi.advanceTimersByTimeAsync(0);
    resumed(w, 1);
    expect(w.socket().sent[0]).toMatchObject({ d: { n: 2 } });
    w.socket().say({ t: 'slots', n: 2, d: { rev: 1, audio: 1, video: 1 } });
    w.socket().say({ t: 'needOffer', n: 3, d: { reason: 'iceRestart' } });
    expect(w.events).toEqual(['joined', 'slots', 'lost', 'resumed', 'needOffer']);
  });

  test('with the session gone joins anew on the same WebSocket, with a token asked for again', async () => {
    let tokens = 0;
    const w = await live(() => `t${++tokens}`);
    const muting = w.signal.request({ t: 'mute', d: { id: 'x', muted: true } });
    w.socket().drop();
    await vi.advanceTimersByTimeAsync(0);
    w.socket().open();
    w.socket().say({ t: 'error', re: 3, d: { code: 'session.gone', message: 'gone', retryable: false } });
    await expect(muting).rejects.toMatchObject({ code: 'session.gone' });
    await settle();
    expect(w.socket().sent.at(-1)).toMatchObject({ t: 'join', id: 1, d: { token: 't2' } });
    w.socket().say({ t: 'joined', n: 1, re: 1, d: joinedAs('ada') });
    expect(w.events).toEqual(['joined', 'lost', 'joined again']);
    void w.signal.request({ t: 'unpublish', d: { id: 'y' } }).catch(() => undefined);
    expect(w.socket().sent.at(-1)).toMatchObject({ id: 2 });
  });

  test('is tried again after growing waits, and given up at last', async () => {
    const w = await live('t');
    const times: number[] = [];
    const start = Date.now();
    for (let i = 0; i < 5; i++) {
      w.socket().drop();
      await vi.advanceTimersToNextTimerAsync();
      times.push(Date.now() - start);
    }
    expect(times).toEqual([0, 300, 900, 2100, 4500]);
    w.socket().drop();
    expect(w.events.at(-1)).toBe('ended networkLost');
  });

  test('is tried at once when there is a network again', async () => {
    const w = await live('t');
    for (let i = 0; i < 3; i++) {
      w.socket().drop();
      if (i < 2) await vi.advanceTimersToNextTimerAsync();
    }
    expect(w.sockets).toHaveLength(3);
    w.signal.networkChanged();
    expect(w.sockets).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(5000);
    expect(w.sockets).toHaveLength(4);
  });

  test.each([
    [4001, 'ended kicked'],
    [4002, 'ended roomEnded'],
    [4003, 'ended duplicateIdentity'],
    [1009, 'ended protocol'],
  ])('with %i stays so: %s', async (code, event) => {
    const w = await live('t');
    w.socket().drop(code);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.events.at(-1)).toBe(event);
    expect(w.sockets).toHaveLength(1);
  });

  test('after the server has gone away joins anew, and does not resume', async () => {
    const w = await live('t');
    w.socket().say({ t: 'disconnect', n: 2, d: { reason: 'serverShutdown', message: 'stopping', retryable: true } });
    w.socket().drop(1006); // some proxies lose the code
    await vi.advanceTimersByTimeAsync(0);
    w.socket().open();
    expect(w.socket().types).toEqual(['join']);
  });
});

describe('a live session', () => {
  test('pings, and drops a connection on which nothing was heard', async () => {
    const w = await live('t');
    await vi.advanceTimersByTimeAsync(5000);
    expect(w.socket().sent.at(-1)).toEqual({ t: 'ping', d: { n: 1 } });
    w.socket().say({ t: 'pong', d: {} });
    const quiet = w.socket();
    await vi.advanceTimersByTimeAsync(15_001);
    expect(quiet.closedWith).toBe(4008);
    expect(w.sockets).toHaveLength(2);
  });

  test('makes sure of the connection when the network changes', async () => {
    const w = await live('t');
    await vi.advanceTimersByTimeAsync(10);
    w.signal.networkChanged();
    expect(w.socket().types.at(-1)).toBe('ping');
    await vi.advanceTimersByTimeAsync(3001);
    expect(w.sockets).toHaveLength(2);
  });

  test('resumes when a message is missing', async () => {
    const w = await live('t');
    w.socket().say({ t: 'draining', n: 5, d: { deadlineMs: 1 } });
    await vi.advanceTimersByTimeAsync(0);
    resumed(w, 1);
    expect(w.events).toEqual(['joined', 'lost', 'resumed']);
  });

  test('ends when the server cannot be understood', async () => {
    const w = await live('t');
    w.socket().say('{"t":"resumed"}');
    expect(w.events.at(-1)).toBe('ended protocol');
  });

  test('leaves, and is not brought back', async () => {
    const w = await live('t');
    const leaving = w.signal.leave();
    expect(w.socket().types.at(-1)).toBe('leave');
    w.socket().say({ t: 'disconnect', n: 2, re: 2, d: { reason: 'left', message: 'bye', retryable: false } });
    await leaving;
    w.socket().drop(1000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.events.at(-1)).toBe('ended client');
    expect(w.sockets).toHaveLength(1);
    await expect(w.signal.request({ t: 'endRoom', d: {} })).rejects.toMatchObject({
      code: 'state.notConnected',
    } satisfies Partial<TurnoutError>);
  });

  test('leaves in time even when the server says nothing', async () => {
    const w = await live('t');
    const leaving = w.signal.leave();
    await vi.advanceTimersByTimeAsync(1000);
    await leaving;
    expect(w.events.at(-1)).toBe('ended client');
  });
});
