import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type BrowserOptions, openChromium, openFirefox } from '../lib/browser.js';
import type { Colour } from '../lib/media.js';
import { eventually, Participant } from '../lib/participant.js';
import { onlyVideoCodec, path, receivedVideo } from '../lib/rtc.js';
import { pause, Server } from '../lib/server.js';
import { Way } from '../lib/weather.js';

const server = new Server();
const open: Participant[] = [];

beforeAll(() => server.start());
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((p) => p.close()));
});

async function person(name: string, options: BrowserOptions, start = openChromium): Promise<Participant> {
  const participant = new Participant(await start(options), name);
  open.push(participant);
  return participant;
}

interface Sender {
  name: string;
  colour: Colour;
  hz: number;
  codec: 'VP8' | 'VP9' | 'AV1' | 'H264';
  start?: typeof openFirefox;
}

test('six people at once, with four codecs, in Chromium and Firefox: each sees and hears all others', async () => {
  const cast: Sender[] = [
    { name: 'Ada', colour: 'red', hz: 400, codec: 'VP8' },
    { name: 'Bob', colour: 'green', hz: 600, codec: 'VP9' },
    { name: 'Cyd', colour: 'blue', hz: 800, codec: 'AV1' },
    { name: 'Dan', colour: 'red', hz: 1000, codec: 'H264' },
    { name: 'Eve', colour: 'green', hz: 1200, codec: 'VP8', start: openFirefox },
    { name: 'Fay', colour: 'blue', hz: 1400, codec: 'VP8' },
  ];
  const people = await Promise.all(
    cast.map((c) => person(c.name, { colour: c.colour, hz: c.hz, init: onlyVideoCodec(`video/${c.codec}`) }, c.start)),
  );
  await Promise.all(people.map((p) => p.join(server.url, 'six')));
  // Firefox has H.264 only where the system brings a decoder.
  const firefox = people[cast.findIndex((c) => c.start)];
  const chromium = people.at(-1);
  if (!firefox || !chromium) throw new Error('nobody is there');
  const able = await firefox.page.evaluate(
    () => RTCRtpReceiver.getCapabilities('video')?.codecs.map((c) => c.mimeType.slice(6)) ?? [],
    null,
  );
  expect(able).toEqual(expect.arrayContaining(['VP8', 'VP9', 'AV1']));
  await Promise.all(
    people.map(async (who, i) => {
      for (const [j, other] of cast.entries()) {
        if (i === j) continue;
        if (who !== firefox || able.includes(other.codec)) await who.sees(other.name, other.colour);
        await who.hears(other.name, other.hz);
      }
    }),
  );
  const { streams } = await receivedVideo(chromium.page);
  expect([...new Set(streams)].sort()).toEqual(['video/AV1', 'video/H264', 'video/VP8', 'video/VP9']);
  for (const p of people) if (p !== firefox) expect((await path(p.page)).srtp).toContain('AEAD_AES_128_GCM');
});

test('with 5 % loss and 50 ms of delay video keeps moving, and lost packets come back by RTX', async () => {
  const way = new Way();
  const far = new Server({
    port: 7890,
    flags: ['--rtc-udp', '10.9.0.1:7892', '--rtc-tcp', '', '--rtc-public', '127.0.0.7', '--no-turn-enabled'],
  });
  await way.open({ address: '127.0.0.7', port: 7892 }, { address: '10.9.0.1', port: 7892 });
  await far.start();
  try {
    const ada = await person('Ada', { colour: 'red', hz: 440 });
    const bob = await person('Bob', { colour: 'green', hz: 880 });
    for (const p of [ada, bob]) await p.join(far.url, 'weather');
    await ada.sees('Bob', 'green');
    way.weather = { delayMs: 50, loss: 0.05 };
    const before = { ada: await receivedVideo(ada.page), bob: await receivedVideo(bob.page) };
    await pause(8000);
    for (const who of ['ada', 'bob'] as const) {
      const page = who === 'ada' ? ada.page : bob.page;
      await eventually(`packets of ${who} come back`, 10_000, async () => {
        const now = await receivedVideo(page);
        return now.repaired > before[who].repaired && now.nacks > before[who].nacks ? true : JSON.stringify(now);
      });
      const now = await receivedVideo(page);
      expect(now.frames - before[who].frames, `frames of ${who} in 8 s at 10 a second`).toBeGreaterThan(60);
    }
    await ada.sees('Bob', 'green');
    await bob.sees('Ada', 'red');
    await ada.hears('Bob', 880);
    expect(way.lost).toBeGreaterThan(20);
  } finally {
    await Promise.all(open.splice(0).map((p) => p.close()));
    await far.stop();
    way.close();
  }
});
