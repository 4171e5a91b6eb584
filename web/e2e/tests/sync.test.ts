import { test } from 'vitest';
import type { Page } from '../lib/browser.js';
import { eventually } from '../lib/participant.js';
import { gather, person, serving } from '../lib/scene.js';

const server = serving();

interface Told {
  /** When what is played now was captured, in ms: the browser's estimate by sender reports. */
  audio: number | undefined;
  video: number | undefined;
  /** ms that sound waits before it is played. */
  wait: number;
  roundTrip: number | undefined;
  /** Bits per second that the browser believes it can send, by transport-wide feedback. */
  available: number | undefined;
}

interface Stat {
  id: string;
  type: string;
  kind?: string;
  estimatedPlayoutTimestamp?: number;
  jitterBufferDelay?: number;
  jitterBufferEmittedCount?: number;
  roundTripTime?: number;
  availableOutgoingBitrate?: number;
}

function told(page: Page): Promise<Told> {
  return page.evaluate(async () => {
    const { raw } = await window.turnout.room.getStats();
    const all = [...(raw as unknown as Map<string, Stat>).values()];
    const inbound = (kind: string) => all.find((s) => s.type === 'inbound-rtp' && s.kind === kind && s.estimatedPlayoutTimestamp);
    const [audio, video] = [inbound('audio'), inbound('video')];
    return {
      audio: audio?.estimatedPlayoutTimestamp,
      video: video?.estimatedPlayoutTimestamp,
      wait: (1000 * (audio?.jitterBufferDelay ?? 0)) / (audio?.jitterBufferEmittedCount ?? 1),
      roundTrip: all.find((s) => s.type === 'remote-inbound-rtp' && s.roundTripTime)?.roundTripTime,
      available: all.find((s) => s.type === 'candidate-pair' && s.availableOutgoingBitrate)?.availableOutgoingBitrate,
    };
  }, null);
}

test('sound and picture of one person are played in sync, and each end knows the way to the other', async () => {
  const [ada, bob] = await Promise.all([person('Ada'), person('Bob')]);
  await gather(server.url, ada, bob);
  await ada.sees('Bob', 'green');
  await ada.hears('Bob', 880);
  await eventually('Bob is played in sync', 20_000, async () => {
    const now = await told(ada.page);
    if (!now.audio || !now.video || !now.roundTrip || !now.available) return JSON.stringify(now);
    // Pictures come every 100 ms.
    const fine = Math.abs(now.audio - now.video) < 150 && now.wait < 500 && now.roundTrip < 1;
    return fine ? true : JSON.stringify(now);
  });
});
