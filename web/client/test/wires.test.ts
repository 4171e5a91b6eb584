import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ack, message, text, type World, world } from './dataserver.js';
import { settle } from './fakes.js';
import { seeded } from './random.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const send = (w: World, m: string): void => void w.data.send('t', text(m), { reliable: true }).catch(() => undefined);

/** A member whose data goes over the WebSocket, because no channel opens. */
async function fallenBack(): Promise<World> {
  const w = world();
  w.udp = false;
  w.data.socket(true);
  await vi.advanceTimersByTimeAsync(2000);
  expect(w.links).toEqual(['connecting', 'fallback']);
  return w;
}

describe('the WebSocket', () => {
  test('carries data when no channel has opened within two seconds', async () => {
    const w = world();
    w.data.socket(true);
    send(w, 'm1');
    await vi.advanceTimersByTimeAsync(1999);
    expect(w.socket.sent).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(w.socket.types).toEqual([1, 0x11]);
    expect(w.server.taken).toEqual(['m1']);
    expect(w.links).toEqual(['connecting', 'fallback']);
  });

  test('is not asked when a channel opens in time', async () => {
    const w = world();
    w.data.socket(true);
    w.connect();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.socket.sent).toHaveLength(0);
    expect(w.links).toEqual(['connecting', 'up']);
  });

  test('is asked at once where there is no WebRTC', async () => {
    const w = world(false);
    w.data.socket(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(w.links.at(-1)).toBe('fallback');
  });

  test('carries on after it was lost and came back, without another wait', async () => {
    const w = await fallenBack();
    w.socket.drop();
    w.data.socket(false);
    send(w, 'm1');
    expect(w.links.at(-1)).toBe('down');
    w.data.socket(true);
    expect(w.server.taken).toEqual(['m1']);
  });

  test('is left for a channel that opens, and told so', async () => {
    const w = await fallenBack();
    send(w, 'm1');
    w.connect();
    send(w, 'm2');
    expect(w.links.at(-1)).toBe('up');
    expect(w.socket.sent.at(-1)).toHaveLength(0);
    expect(w.reliable.types[0]).toBe(1);
    expect(w.server.taken).toEqual(['m1', 'm2']);
  });

  test('carries lossy messages as well', async () => {
    const w = await fallenBack();
    await w.data.send('t', text('m1'), { reliable: false });
    expect(w.socket.types.at(-1)).toBe(4);
    w.socket.bufferedAmount = 1 << 20;
    await w.data.send('t', text('m2'), { reliable: false });
    expect(w.socket.types.filter((t) => t === 4)).toHaveLength(1);
  });

  test('gets no more than it can send', async () => {
    const w = await fallenBack();
    w.socket.bufferedAmount = 1 << 20;
    send(w, 'm1');
    await vi.advanceTimersByTimeAsync(200);
    expect(w.server.taken).toEqual([]);
    w.socket.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(50);
    expect(w.server.taken).toEqual(['m1']);
  });

  test('is asked again when the server has closed the wire', async () => {
    const w = await fallenBack();
    w.socket.drop(); // the server's side of it
    w.data.socketMessage(new Uint8Array(0));
    send(w, 'm1');
    expect(w.links.at(-1)).toBe('fallback');
    expect(w.server.taken).toEqual(['m1']);
  });
});

describe('a channel', () => {
  test('that is open and answers nothing is given up for the WebSocket, and tried again later and later', async () => {
    const w = await fallenBack();
    w.udp = true;
    const take = w.server.take.bind(w.server);
    vi.spyOn(w.server, 'take').mockImplementation((bytes, from) => {
      if (from === w.reliable) w.reliable.dead = true;
      else take(bytes, from);
    });
    w.connect();
    send(w, 'm1');
    await vi.advanceTimersByTimeAsync(3000);
    expect(w.links.at(-1)).toBe('fallback');
    expect(w.server.taken).toEqual(['m1']);
    const first = w.reliable;
    await vi.advanceTimersByTimeAsync(1000);
    expect(w.reliable).not.toBe(first);
    const second = w.reliable;
    await vi.advanceTimersByTimeAsync(4500); // 3 s for the answer, and not yet 2 s more
    expect(w.reliable).toBe(second);
    await vi.advanceTimersByTimeAsync(500);
    expect(w.reliable).not.toBe(second);
    vi.restoreAllMocks();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.links.at(-1)).toBe('up');
  });

  test('that went silent is left when something waits for an answer', async () => {
    const w = world();
    w.data.socket(true);
    w.connect();
    await vi.advanceTimersByTimeAsync(10_000);
    w.reliable.dead = true;
    w.udp = false;
    expect(w.links.at(-1)).toBe('up'); // nobody has asked anything
    send(w, 'm1');
    await vi.advanceTimersByTimeAsync(5000);
    expect(w.links.at(-1)).toBe('fallback');
    expect(w.server.taken).toEqual(['m1']);
  });

  test('is left when media does not get through either, and tried as soon as it does', async () => {
    const w = world();
    w.data.socket(true);
    w.connect();
    w.reliable.dead = true;
    w.udp = false;
    w.data.media(false);
    await vi.advanceTimersByTimeAsync(2000);
    expect(w.links.at(-1)).toBe('fallback');
    w.udp = true;
    w.data.media(true);
    expect(w.links.at(-1)).toBe('up');
  });

  test('is kept when media is back in time', async () => {
    const w = world();
    w.data.socket(true);
    w.connect();
    w.data.media(false);
    w.data.media(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.socket.sent).toHaveLength(0);
  });

  test('that opens while the WebSocket is being asked waits for that answer', async () => {
    const w = world();
    w.udp = false;
    const held: Uint8Array[] = [];
    const answer = w.socket.receive.bind(w.socket);
    Object.assign(w.socket, { receive: (b: Uint8Array) => void held.push(b) });
    w.data.socket(true);
    await vi.advanceTimersByTimeAsync(2000);
    w.connect();
    expect(w.reliable.types).toEqual([]);
    for (const b of held) answer(b);
    expect(w.reliable.types).toEqual([1]);
    expect(w.links.at(-1)).toBe('up');
  });
});

test('a hello that has no answer at all is said again, and the next answer counts', async () => {
  const w = world(false);
  vi.spyOn(w.server, 'take').mockImplementationOnce(() => undefined);
  w.data.socket(true);
  await vi.advanceTimersByTimeAsync(24_001);
  expect(w.links.at(-1)).toBe('fallback');
});

describe('under way when the wire changes', () => {
  async function listening(): Promise<{ w: World; got: string[] }> {
    const w = await fallenBack();
    const got: string[] = [];
    w.data.on('t', (payload) => got.push(new TextDecoder().decode(payload)));
    return { w, got };
  }
  const says = (w: World, m: string): void => w.server.say(message('bob', 't', m));

  test('what comes on the old wire after hello on the new one counts once', async () => {
    const { w, got } = await listening();
    w.socket.down.held = true;
    says(w, 'one');
    w.slow = true;
    w.connect();
    w.socket.down.release();
    expect(got).toEqual(['one']);
    w.reliable.up.release(); // hello, which knows nothing of it
    says(w, 'two');
    expect(got).toEqual(['one', 'two']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(w.reliable.sent.at(-1)).toEqual(ack(2));
  });

  test('the answer to a hello that was given up is not taken for the answer to the next', async () => {
    const { w, got } = await listening();
    w.socket.down.held = true;
    w.data.socketMessage(new Uint8Array(0)); // asks again at once
    says(w, 'one');
    w.connect();
    await vi.advanceTimersByTimeAsync(3000);
    says(w, 'two');
    expect(got).toEqual(['one', 'two']); // by the channel
    w.udp = false;
    w.reliable.drop();
    await vi.advanceTimersByTimeAsync(2000);
    w.socket.down.release();
    says(w, 'three');
    expect(got).toEqual(['one', 'two', 'three']);
  });
});

test('whichever way data goes and whatever is lost with it, everything arrives once and in order, both ways', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = seeded(seed);
    const w = world();
    const said: string[] = [];
    const heard: string[] = [];
    const told: string[] = [];
    w.data.on('t', (payload) => heard.push(new TextDecoder().decode(payload)));
    w.data.socket(true);
    w.connect();
    for (let i = 0; i < 80; i++) {
      switch (random.below(15)) {
        case 14:
          w.slow = !w.slow;
          break;
        case 12:
          random.pick([w.socket.up, w.socket.down, w.reliable.up, w.reliable.down]).held = true;
          break;
        case 13:
          random.pick([w.socket.up, w.socket.down, w.reliable.up, w.reliable.down]).release();
          break;
        case 0:
        case 1:
        case 2:
          said.push(`m${i}${'x'.repeat(random.next() < 0.1 ? 20_000 : 0)}`);
          send(w, said.at(-1) ?? '');
          break;
        case 3:
        case 4:
        case 5:
          told.push(`s${i}`);
          w.server.say(message('bob', 't', `s${i}`));
          break;
        case 6:
          w.server.acknowledge();
          break;
        case 7:
          w.reliable.dead = true;
          break;
        case 8:
          w.reliable.drop();
          break;
        case 9:
          w.udp = !w.udp;
          break;
        case 10:
          w.socket.drop();
          w.data.socket(false);
          w.data.socket(true);
          break;
        default:
          await vi.advanceTimersByTimeAsync(random.below(4000));
      }
    }
    for (const pipe of [w.socket.up, w.socket.down, w.reliable.up, w.reliable.down]) pipe.release();
    w.udp = true;
    send(w, 'm'); // makes a dead wire be noticed
    said.push('m');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(
      w.server.taken.map((m) => m.slice(0, 9)),
      `seed ${seed}`,
    ).toEqual(said.map((m) => m.slice(0, 9)));
    expect(heard, `seed ${seed}`).toEqual(told);
    w.data.close();
  }
  await settle();
});

test('nothing runs on after the end', async () => {
  const w = await fallenBack();
  w.data.close();
  expect(w.links.at(-1)).toBe('down');
  expect(vi.getTimerCount()).toBe(0);
  w.server.say(ack(1));
});
