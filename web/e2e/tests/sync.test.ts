import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openChromium, type Page } from '../lib/browser.js';
import { eventually, Participant } from '../lib/participant.js';
import { Server } from '../lib/server.js';

const server = new Server();
const open: Participant[] = [];

beforeAll(() => server.start());
afterAll(async () => {
  expect(await server.stop()).toBe(0);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((p) => p.close()));
});

async function person(name: string, colour: 'red' | 'green', hz: number): Promise<Participant> {
  const participant = new Participant(await openChromium({ colour, hz }), name);
  open.push(participant);
  return participant;
}

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
    const { turnout } = window as unknown as { turnout: { room: { getStats(): Promise<{ raw: RTCStatsReport }> } } };
    const { raw } = await turnout.room.getStats();
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
  const ada = await person('Ada', 'red', 440);
  const bob = await person('Bob', 'green', 880);
  for (const p of [ada, bob]) await p.join(server.url, 'sync');
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
