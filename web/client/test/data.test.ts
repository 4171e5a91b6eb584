import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Chat } from '../src/chat.js';
import { openTopic } from '../src/topic.js';
import { ack, Bytes, message, text, world } from './dataserver.js';
import { settle } from './fakes.js';
import { seeded } from './random.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('data', () => {
  test('sends after welcome, and settles when the server has it', async () => {
    const w = world();
    const sending = w.data.send('t', text('m1'), { reliable: true });
    let settled = false;
    void sending.then(() => (settled = true));
    w.connect();
    expect(w.links).toEqual(['connecting', 'up']);
    expect(w.server.taken).toEqual(['m1']);
    await settle();
    expect(settled).toBe(false);
    w.reliable.say(ack(1));
    await sending;
  });

  test('tells the refusal of the server to who sent', async () => {
    const w = world();
    w.connect();
    const sending = w.data.send('t', text('m1'), { reliable: true });
    w.reliable.say(new Bytes().n(0x10, 1).s('data.forbidden').s('no').s('').n(0).frame);
    await expect(sending).rejects.toMatchObject({ code: 'data.forbidden', retryable: false });
  });

  test('cuts what is larger than a wire message', async () => {
    const w = world();
    w.connect();
    const large = `m1${'x'.repeat(40_000)}`;
    void w.data.send('t', text(large), { reliable: true });
    expect(w.reliable.types).toEqual([1, 0x13, 0x13, 0x13]);
    expect(Math.max(...w.reliable.sent.map((m) => m.length))).toBeLessThanOrEqual(16_384);
    expect(w.server.taken).toEqual([large]);
    await expect(w.data.send('t', new Uint8Array(100_001), { reliable: true })).rejects.toMatchObject({ code: 'data.tooLarge' });
  });

  test('refuses to keep more than its bound', async () => {
    const w = world();
    const sent: Promise<unknown>[] = [];
    for (let i = 0; i < 10; i++) sent.push(w.data.send('t', new Uint8Array(1 << 20), { reliable: true }).catch((e: unknown) => e));
    await expect(sent.at(-1)).resolves.toMatchObject({ code: 'data.backpressure', retryable: true });
  });

  test('sends lossy messages on their own channel, and drops them when it is full', async () => {
    const w = world();
    await w.data.send('t', text('too early'), { reliable: false });
    w.connect();
    await w.data.send('t', text('m1'), { reliable: false });
    w.lossy.bufferedAmount = 1 << 20;
    await w.data.send('t', text('m2'), { reliable: false });
    expect(w.lossy.types).toEqual([4]);
  });

  test('waits with reliable messages when the channel is full', () => {
    const w = world();
    w.connect();
    w.reliable.bufferedAmount = 1 << 20;
    void w.data.send('t', text('m1'), { reliable: true });
    expect(w.server.taken).toEqual([]);
    w.reliable.bufferedAmount = 0;
    w.reliable.onbufferedamountlow?.();
    expect(w.server.taken).toEqual(['m1']);
  });

  test('acknowledges within a second, and after 64 frames at once', async () => {
    const w = world();
    w.connect();
    w.reliable.say(message('bob', 't', 'hi'));
    await vi.advanceTimersByTimeAsync(1000);
    expect(w.reliable.sent.at(-1)).toEqual(ack(1));
    for (let i = 0; i < 64; i++) w.reliable.say(message('bob', 't', 'hi'));
    expect(w.reliable.sent.at(-1)).toEqual(ack(65));
  });

  test('closes a channel on which frames cannot be counted', () => {
    const w = world();
    w.connect();
    w.reliable.say(Uint8Array.of(9, 1));
    expect(w.links.at(-1)).toBe('down');
    vi.advanceTimersByTime(1000);
    expect(w.links.at(-1)).toBe('up'); // over another one
  });

  test('a listener that throws costs no frame', async () => {
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    const w = world();
    w.data.on('t', () => {
      throw new Error('mine');
    });
    w.connect();
    w.reliable.say(Uint8Array.from([...message('bob', 't', 'one'), ...message('bob', 't', 'two')]));
    await vi.advanceTimersByTimeAsync(1000);
    expect(reported).toHaveBeenCalledTimes(2);
    expect(w.reliable.sent.at(-1)).toEqual(ack(2));
    vi.unstubAllGlobals();
  });

  test('puts fragments together', () => {
    const w = world();
    const got: string[] = [];
    w.data.on('t', (payload, from) => got.push(`${from} ${payload.length}`));
    w.connect();
    const inner = Uint8Array.from(new Bytes().n(0x12).s('bob').s('t').b(new Uint8Array(300)).all);
    const fragment = (offset: number, end: number): Uint8Array =>
      new Bytes().n(0x13, 5, offset, inner.length).b(inner.slice(offset, end)).frame;
    w.reliable.say(fragment(0, 100));
    w.reliable.say(message('eve', 't', 'hi'));
    w.reliable.say(fragment(100, 200));
    w.reliable.say(fragment(200, inner.length));
    w.reliable.say(fragment(100, 200)); // of nothing that began
    expect(got).toEqual(['eve 2', 'bob 300']);
  });
});

test('whatever is lost with the channel, every message arrives once and in order', async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seeded(seed);
    const w = world();
    w.connect();
    const said: string[] = [];
    for (let i = 0; i < 60; i++) {
      const step = random.below(10);
      if (step < 6) {
        const m = `m${i}${'x'.repeat(random.next() < 0.1 ? 20_000 : 0)}`;
        said.push(m);
        void w.data.send('t', text(m), { reliable: true }).catch(() => undefined);
      } else if (step < 8) {
        w.reliable.say(ack(random.below(w.server.received + 1)));
      } else if (step < 9) {
        w.reliable.take = () => undefined; // from now on everything is lost on the way
      } else {
        w.reliable.drop();
        w.connect();
      }
    }
    w.reliable.drop();
    w.connect();
    expect(w.server.taken, `seed ${seed}`).toEqual(said);
  }
  await settle();
});

test('with a new stream, what was sent and not acknowledged has failed, and the rest goes on', async () => {
  const w = world();
  w.connect();
  const lost = w.data.send('t', text('m1'), { reliable: true });
  w.reliable.drop();
  const kept = w.data.send('t', text('m2'), { reliable: true });
  w.server.stream = 78;
  w.server.received = 0;
  w.connect();
  await expect(lost).rejects.toMatchObject({ code: 'data.lost', retryable: true });
  expect(w.server.taken).toEqual(['m1', 'm2']);
  w.reliable.say(ack(1));
  await kept;
});

describe('presence', () => {
  test('is told thirty times a second at most, kept alive, and set again on a new stream', async () => {
    const w = world();
    w.connect();
    for (let x = 0; x < 10; x++) w.data.presence.set({ x });
    await vi.advanceTimersByTimeAsync(40);
    expect(w.reliable.types.filter((t) => t === 6)).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(4000);
    expect(w.reliable.types.filter((t) => t === 3).length).toBeGreaterThanOrEqual(2);
    w.reliable.drop();
    w.server.stream = 78;
    w.connect();
    expect(w.reliable.types).toContain(6);
  });

  test('of others replaces what was known, and bad JSON is nobody', () => {
    const w = world();
    w.connect();
    const entries = (full: number, ...list: [string, number, string][]): Uint8Array => {
      const b = new Bytes().n(0x15, full, list.length);
      for (const [identity, present, data] of list) b.s(identity).n(1, present).s(data);
      return b.frame;
    };
    w.reliable.say(entries(1, ['bob', 1, '{"x":1}'], ['eve', 1, 'not json']));
    expect([...w.data.presence.others]).toEqual([['bob', { x: 1 }]]);
    w.reliable.say(entries(0, ['bob', 0, ''], ['eve', 1, '{}']));
    expect([...w.data.presence.others.keys()]).toEqual(['eve']);
    w.reliable.say(entries(1));
    expect(w.data.presence.others.size).toBe(0);
  });
});

describe('topics and chat', () => {
  test('a message that is not of the topic is ignored', () => {
    const w = world();
    w.connect();
    const got: unknown[] = [];
    const off = openTopic(w.data, 'pointer').on((value, from) => got.push([from, value]));
    w.reliable.say(message('bob', 'pointer', '{"x":1}', 5));
    w.reliable.say(message('bob', 'pointer', 'not json', 5));
    w.reliable.say(message('bob', 'other', '{}', 5));
    off();
    w.reliable.say(message('bob', 'pointer', '{"x":2}', 5));
    expect(got).toEqual([['bob', { x: 1 }]]);
  });

  test('one sees one’s own words at once, and whether they arrived', async () => {
    const w = world();
    const chat = new Chat(
      w.data,
      () => ({ identity: 'ada', name: 'Ada' }),
      (identity) => identity.toUpperCase(),
    );
    w.connect();
    const sending = chat.send('hello');
    expect(chat.messages).toMatchObject([{ text: 'hello', isLocal: true, state: 'sending' }]);
    w.reliable.say(ack(1));
    await sending;
    w.reliable.say(message('bob', 'chat', '{"text":"hi"}'));
    w.reliable.say(message('bob', 'chat', '{"text":7}'));
    expect(chat.messages).toMatchObject([
      { text: 'hello', state: 'sent' },
      { text: 'hi', name: 'BOB', isLocal: false },
    ]);
  });
});
