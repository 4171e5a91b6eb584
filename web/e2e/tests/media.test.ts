import { expect, onTestFinished, test } from 'vitest';
import type { VideoCodec } from '@turnout/client';
import { openFirefox } from '../lib/browser.js';
import { eventually, type Shown } from '../lib/participant.js';
import { path, publishWith, receivedVideo } from '../lib/rtc.js';
import { gather, newRoom, opened, person, running, serving } from '../lib/scene.js';
import { pause } from '../lib/server.js';
import { Way } from '../lib/weather.js';

const server = serving();

interface Sender extends Shown {
  name: string;
  codec: VideoCodec;
  browser?: typeof openFirefox;
}

test('six people at once, with four codecs, in Chromium and Firefox: each sees and hears all others', async () => {
  const cast: Sender[] = [
    { name: 'Ada', colour: 'red', hz: 400, codec: 'vp8' },
    { name: 'Bob', colour: 'green', hz: 600, codec: 'vp9' },
    { name: 'Cyd', colour: 'blue', hz: 800, codec: 'av1' },
    { name: 'Dan', colour: 'red', hz: 1000, codec: 'h264' },
    { name: 'Eve', colour: 'green', hz: 1200, codec: 'vp8', browser: openFirefox },
    { name: 'Fay', colour: 'blue', hz: 1400, codec: 'vp8' },
  ];
  const people = await Promise.all(cast.map(({ name, colour, hz, browser }) => opened(name, { colour, hz }, browser && { browser })));
  const room = newRoom();
  await Promise.all(
    people.map(async (p, i) => {
      await p.join(server.url, room);
      await publishWith(p.page, cast[i]?.codec ?? 'vp8');
    }),
  );
  // Firefox has H.264 only where the system brings a decoder.
  const firefox = people[cast.findIndex((c) => c.browser)];
  const chromium = people.at(-1);
  if (!firefox || !chromium) throw new Error('nobody is there');
  const able = await firefox.page.evaluate(
    () => RTCRtpReceiver.getCapabilities('video')?.codecs.map((c) => c.mimeType.slice(6).toLowerCase()) ?? [],
    null,
  );
  expect(able).toEqual(expect.arrayContaining(['vp8', 'vp9', 'av1']));
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
  await way.open({ address: '127.0.0.7', port: 7892 }, { address: '10.9.0.1', port: 7892 });
  onTestFinished(() => way.close());
  const far = await running({
    port: 7890,
    flags: ['--rtc-udp', '10.9.0.1:7892', '--rtc-tcp', '', '--rtc-public', '127.0.0.7', '--no-turn-enabled'],
  });
  const [ada, bob] = await Promise.all([person('Ada'), person('Bob')]);
  await gather(far.url, ada, bob);
  await ada.sees('Bob', 'green');

  way.weather = { delayMs: 50, loss: 0.05 };
  const begun = await Promise.all([ada, bob].map(async ({ name, page }) => ({ name, page, before: await receivedVideo(page) })));
  await pause(8000);
  for (const { name, page, before } of begun) {
    await eventually(`packets of ${name} come back`, 10_000, async () => {
      const now = await receivedVideo(page);
      return now.repaired > before.repaired && now.nacks > before.nacks ? true : JSON.stringify(now);
    });
    const now = await receivedVideo(page);
    expect(now.frames - before.frames, `frames of ${name} in 8 s at 10 a second`).toBeGreaterThan(60);
  }
  await ada.sees('Bob', 'green');
  await bob.sees('Ada', 'red');
  await ada.hears('Bob', 880);
  expect(way.lost).toBeGreaterThan(20);
});
