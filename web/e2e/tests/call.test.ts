import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type BrowserOptions, openChromium } from '../lib/browser.js';
import { Participant } from '../lib/participant.js';
import { path } from '../lib/rtc.js';
import { expired, Proxy, Server, pause } from '../lib/server.js';

const server = new Server();
const open: Participant[] = [];
let rooms = 0;
let room = '';

beforeAll(() => server.start());
afterAll(async () => {
  expect(await server.stop(), 'exit code after SIGTERM').toBe(0);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((p) => p.close()));
});

const red: BrowserOptions = { colour: 'red', hz: 440 };
const green: BrowserOptions = { colour: 'green', hz: 880 };
const blue: BrowserOptions = { colour: 'blue', hz: 1320 };

async function person(name: string, options: BrowserOptions, start = openChromium): Promise<Participant> {
  const participant = new Participant(await start(options), name);
  open.push(participant);
  return participant;
}

function newRoom(): string {
  room = `room-${++rooms}`;
  return room;
}

/** Everyone sees and hears everyone else. */
async function allMeet(people: { who: Participant; options: BrowserOptions }[]): Promise<void> {
  for (const { who } of people) {
    for (const other of people) {
      if (other.who === who) continue;
      await who.sees(other.who.name, other.options.colour);
      await who.hears(other.who.name, other.options.hz);
    }
  }
}

describe('a call of three in Chromium', () => {
  test('each sees and hears the two others; one shares, one mutes, one leaves, chat arrives', async () => {
    newRoom();
    const ada = await person('Ada', red);
    const bob = await person('Bob', green);
    const eve = await person('Eve', blue);
    for (const p of [ada, bob, eve]) await p.join(server.url, room);
    await allMeet([
      { who: ada, options: red },
      { who: bob, options: green },
      { who: eve, options: blue },
    ]);
    expect((await path(ada.page)).srtp).toContain('AEAD_AES_128_GCM');

    await ada.page.click('screen-toggle');
    await bob.sees('Ada', 'any', 'screen');
    await eve.sees('Ada', 'any', 'screen');
    await bob.sees('Ada', 'red');
    await ada.page.click('screen-toggle'); // and once more, on the m-line of the first time
    await bob.withoutScreen('Ada');
    await ada.page.click('screen-toggle');
    await bob.sees('Ada', 'any', 'screen');

    await bob.page.click('mic-toggle');
    for (const p of [ada, eve]) await p.reads('tile-muted', 'Bob');

    await ada.page.click('chat-toggle');
    await ada.page.fill('chat-input', 'hello from Ada');
    await ada.page.click('chat-send');
    await bob.page.click('chat-toggle');
    await bob.reads('chat-message', 'hello from Ada');

    await eve.page.click('leave');
    await ada.withTiles(['Ada', 'Bob']);
    await bob.withTiles(['Ada', 'Bob']);
    await ada.sees('Bob', 'green');
  });

  test('without a camera and a microphone one can still watch and chat', async () => {
    newRoom();
    const ada = await person('Ada', red);
    const bob = await person('Bob', { ...green, bare: true });
    await ada.join(server.url, room);
    await bob.join(server.url, room);
    await bob.sees('Ada', 'red');
    await bob.hears('Ada', 440);
    await bob.page.click('chat-toggle');
    await bob.page.fill('chat-input', 'only watching');
    await bob.page.click('chat-send');
    await ada.page.click('chat-toggle');
    await ada.reads('chat-message', 'only watching');
  });
});

interface Watch {
  left: number;
  frames: number[];
}

/** Notes every leave that the page is told of, and when frames of the other's camera came. */
function watch(p: Participant, name: string): Promise<void> {
  return p.page.evaluate((who) => {
    const w = window as unknown as { turnout: { room: { on(e: string, f: () => void): void } }; watched: Watch };
    w.watched = { left: 0, frames: [] };
    w.turnout.room.on('participantDisconnected', () => w.watched.left++);
    const video = [...document.querySelectorAll('[data-testid="tile"]')]
      .find((e) => e.getAttribute('data-name') === who)
      ?.querySelector('video');
    const note = (): void => {
      w.watched.frames.push(performance.now());
      video?.requestVideoFrameCallback(note);
    };
    video?.requestVideoFrameCallback(note);
  }, name);
}

function watched(p: Participant): Promise<Watch> {
  return p.page.evaluate(() => (window as unknown as { watched: Watch }).watched, null);
}

const longestGap = (frames: number[]): number => Math.max(...frames.slice(1).map((at, i) => at - (frames[i] ?? at)));

test('a WebSocket cut in the call is resumed: no gap in media, no leave seen, nothing lost', async () => {
  newRoom();
  const proxy = new Proxy(7890, 7880);
  await proxy.start();
  try {
    const ada = await person('Ada', red);
    const bob = await person('Bob', green);
    await ada.join(proxy.url, room);
    await bob.join(server.url, room);
    await allMeet([
      { who: ada, options: red },
      { who: bob, options: green },
    ]);
    await watch(bob, 'Ada');
    await watch(ada, 'Bob');

    proxy.cut();
    await ada.state('reconnecting');
    await bob.page.click('mic-toggle'); // what Ada must learn after the resume
    await pause(2500);
    proxy.mend();
    await ada.state('connected');
    await ada.reads('tile-muted', 'Bob');
    await pause(500);

    for (const p of [ada, bob]) {
      const { left, frames } = await watched(p);
      expect(left, `leaves seen by ${p.name}`).toBe(0);
      expect(frames.length, `frames seen by ${p.name}`).toBeGreaterThan(15);
      expect(longestGap(frames), `longest gap of ${p.name}, ms`).toBeLessThan(1500);
    }
  } finally {
    await proxy.stop();
  }
});

interface Refusal {
  code: string;
  close: number;
}

/** Runs in the page: joins over a WebSocket of its own and tells how that was refused. */
function joinBySocket({ url, token }: { url: string; token: string | undefined }): Promise<Refusal> {
  return new Promise((done) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'turnout.v1');
    let code = '';
    socket.onopen = () =>
      socket.send(JSON.stringify({ t: 'join', id: 1, d: { protocol: 1, token, client: { name: 'test', version: '1' } } }));
    socket.onmessage = (message) => {
      const frame = JSON.parse(String(message.data)) as { t: string; d?: { code?: string } };
      if (frame.t === 'error') code = frame.d?.code ?? '';
    };
    socket.onclose = (event) => done({ code, close: event.code });
  });
}

test('wrong, expired and missing tokens get a clear error and disturb nobody', async () => {
  newRoom();
  const ada = await person('Ada', red);
  const bob = await person('Bob', green);
  await ada.join(server.url, room);
  await bob.join(server.url, room);
  await ada.sees('Bob', 'green');
  await watch(ada, 'Bob');

  const good = (await (await fetch(`${server.url}/api/token?room=${room}&identity=mallory&name=Mallory`)).json()) as { token: string };
  const [head = '', body = ''] = good.token.split('.');
  const wrong = `${head}.${body}.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`;
  const mallory = await person('Mallory', blue);
  await mallory.page.goto(`${server.url}/r/${room}#token=${wrong}`);
  await mallory.page.fill('name-input', 'Mallory');
  await mallory.page.click('join');
  await mallory.reads('error', 'invitation');

  const first = (token: string | undefined): Promise<Refusal> => mallory.page.evaluate(joinBySocket, { url: server.url, token });
  expect(await first(wrong)).toEqual({ code: 'auth.invalid', close: 1008 });
  expect(await first(undefined)).toEqual({ code: 'auth.missing', close: 1008 });
  expect(await first(expired(server))).toEqual({ code: 'auth.expired', close: 1008 });

  await pause(1000);
  const { left, frames } = await watched(ada);
  expect(left).toBe(0);
  expect(longestGap(frames)).toBeLessThan(1500);
  await ada.withTiles(['Ada', 'Bob']);
});

/** Runs in the page: a participant of the room that sends what it should not, a WebSocket for each kind; gives how each ended. */
function misbehave({ url, token }: { url: string; token: string }): Promise<Record<string, string>> {
  const attempt = (send: (socket: WebSocket) => void): Promise<string> =>
    new Promise((done) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'turnout.v1');
      socket.binaryType = 'arraybuffer';
      const errors = new Set<string>();
      const timer = setTimeout(() => socket.close(1000), 3000);
      socket.onmessage = (message) => {
        if (message.data instanceof ArrayBuffer) {
          const code = /data\.\w+/.exec(new TextDecoder().decode(message.data));
          if (code) errors.add(code[0]);
          return;
        }
        const frame = JSON.parse(String(message.data)) as { t: string; d?: { code?: string } };
        if (frame.t === 'joined') send(socket);
        if (frame.t === 'error') errors.add(frame.d?.code ?? '');
      };
      socket.onclose = (event) => {
        clearTimeout(timer);
        done([...errors, String(event.code)].join(' '));
      };
      socket.onopen = () =>
        socket.send(JSON.stringify({ t: 'join', id: 1, d: { protocol: 1, token, client: { name: 'test', version: '1' } } }));
    });
  const kinds: Record<string, (socket: WebSocket) => void> = {
    malformed: (s) => s.send('{"t":'),
    unknown: (s) => s.send('{"t":"teleport","id":2,"d":{}}'),
    large: (s) => s.send('x'.repeat(10_000_000)),
    binary: (s) => s.send(new Uint8Array(512)), // no frame has a length of 0
    flood: (s) => {
      for (let i = 0; i < 5000; i++) s.send('{"t":"ping","d":{"n":0}}');
    },
  };
  return Object.entries(kinds).reduce<Promise<Record<string, string>>>(async (before, [kind, send]) => {
    const results = await before;
    return { ...results, [kind]: await attempt(send) };
  }, Promise.resolve({}));
}

test('a participant that sends garbage is told or closed, and a call in the same room goes on', async () => {
  newRoom();
  const ada = await person('Ada', red);
  const bob = await person('Bob', green);
  await ada.join(server.url, room);
  await bob.join(server.url, room);
  await allMeet([
    { who: ada, options: red },
    { who: bob, options: green },
  ]);
  await watch(ada, 'Bob');
  const { token } = (await (await fetch(`${server.url}/api/token?room=${room}&identity=mallory`)).json()) as { token: string };
  const mallory = await person('Mallory', blue);
  await mallory.page.goto(server.url);
  expect(await mallory.page.evaluate(misbehave, { url: server.url, token })).toEqual({
    malformed: 'protocol.malformed 1000',
    unknown: 'protocol.unknownType 1000',
    large: '1009',
    binary: 'data.malformed 1000',
    flood: 'rate.limited 4006',
  });
  const { frames } = await watched(ada);
  expect(longestGap(frames), 'longest gap, ms').toBeLessThan(1500);
  await ada.sees('Bob', 'green');
  await bob.hears('Ada', 440);
});

test('a server that is killed and started again gets its call back', async () => {
  newRoom();
  const ada = await person('Ada', red);
  const bob = await person('Bob', green);
  await ada.join(server.url, room);
  await bob.join(server.url, room);
  await allMeet([
    { who: ada, options: red },
    { who: bob, options: green },
  ]);
  await server.kill();
  await ada.state('reconnecting');
  await server.start();
  await ada.state('connected', 40_000);
  await bob.state('connected', 40_000);
  await allMeet([
    { who: ada, options: red },
    { who: bob, options: green },
  ]);
});
