import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openChromium } from '../lib/browser.js';
import { eventually, Participant } from '../lib/participant.js';
import { Program } from '../lib/program.js';
import { looks, serving } from '../lib/scene.js';

const server = serving();
const programs: Program[] = [];
let ada: Participant; // the one who watches all of them

beforeAll(async () => {
  ada = new Participant(await openChromium(looks.Ada), 'Ada', looks.Ada);
  await ada.join(server.url, 'studio');
});
afterAll(() => ada.close());
afterEach(async () => {
  const ended = await Promise.all(programs.splice(0).map((p) => p.stop()));
  for (const status of ended) expect(status, 'status of the DELETE').toBe(200);
});

async function start(script: string, args: string[], path: string, identity: string): Promise<Program> {
  const program = new Program(script, args, server.url + path, await server.token('studio', identity));
  programs.push(program);
  return program;
}

for (const codec of ['vp8', 'h264']) {
  test(`GStreamer publishes ${codec} by WHIP`, async () => {
    await ada.withTiles(['Ada']); // who has deleted its session has left
    const gst = await start('gstreamer_client.py', ['publish', 'green', '660', codec], '/whip/studio', 'gst');
    await gst.tells('that it is connected', (t) => t.state === 'connected');
    await ada.sees('gst', 'green');
    await ada.hears('gst', 660);
  });
}

test('aiortc, which knows only one SRTP profile, publishes by WHIP and plays by WHEP', async () => {
  await ada.withTiles(['Ada']);
  await start('aiortc_client.py', ['publish', 'blue', '1100'], '/whip/studio', 'aio');
  const identity = await ada.page.evaluate(() => window.turnout.room.local.identity, null);
  const player = await start('aiortc_client.py', ['play'], `/whep/studio/${encodeURIComponent(identity)}`, 'tv');
  await ada.sees('aio', 'blue');
  await ada.hears('aio', 1100);
  await player.tells('red frames', ({ rgb }) => rgb !== undefined && rgb[0] > 120 && rgb[1] < 100 && rgb[2] < 100);
  await player.tells('a tone of 440 Hz', ({ hz, level }) => hz !== undefined && Math.abs(hz - 440) < 20 && (level ?? 0) > 1000);
  await ada.withTiles(['Ada', 'aio']); // not the player
});

test('a page publishes by WHIP in two layers and plays by WHEP, with fetch and an RTCPeerConnection', async () => {
  const publishing = await ada.page.evaluate(callByHTTP, {
    url: `${server.url}/whip/studio`,
    token: await server.token('studio', 'page'),
    publish: true,
  });
  await ada.sees('page', 'red');
  const playing = await ada.page.evaluate(callByHTTP, {
    url: `${server.url}/whep/studio/page`,
    token: await server.token('studio', 'player'),
    publish: false,
  });
  await eventually('the page plays red', 20_000, async () => {
    const seen = await ada.page.evaluate(lookAtPlayer, null);
    const [r, g, b] = seen.rgb;
    return seen.frames > 5 && r > 120 && g < 100 && b < 100 ? true : JSON.stringify(seen);
  });
  for (const location of [playing, publishing]) {
    expect(await ada.page.evaluate(async (url) => (await fetch(url, { method: 'DELETE' })).status, location)).toBe(200);
  }
  await ada.withTiles(['Ada']);
});

// The functions below run in the page.

async function callByHTTP({ url, token, publish }: { url: string; token: string; publish: boolean }): Promise<string> {
  const pc = new RTCPeerConnection();
  const stream = new MediaStream();
  if (publish) {
    const camera = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    for (const track of camera.getTracks()) {
      const sendEncodings = track.kind === 'video' ? [{ rid: 'q', scaleResolutionDownBy: 2 }, { rid: 'f' }] : [];
      pc.addTransceiver(track, { direction: 'sendonly', sendEncodings });
    }
  } else {
    pc.ontrack = ({ track }) => stream.addTrack(track);
    for (const kind of ['audio', 'video']) pc.addTransceiver(kind, { direction: 'recvonly' });
  }
  await pc.setLocalDescription();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${token}` },
    body: pc.localDescription?.sdp ?? '',
  });
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
  const answer = await response.text();
  if (publish && !answer.includes('a=simulcast:recv q;f')) throw new Error(`no simulcast in ${answer}`);
  await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  if (!publish) {
    const video = document.createElement('video');
    video.id = 'player';
    video.muted = true;
    video.srcObject = stream;
    document.body.append(video);
    void video.play();
  }
  return new URL(response.headers.get('Location') ?? '', url).href;
}

function lookAtPlayer(): { rgb: [number, number, number]; frames: number } {
  const video = document.querySelector<HTMLVideoElement>('#player');
  const paint = document.createElement('canvas').getContext('2d');
  if (!video || !paint || video.videoWidth === 0) return { rgb: [0, 0, 0], frames: 0 };
  paint.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 2, 2, 0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = paint.getImageData(0, 0, 1, 1).data;
  return { rgb: [r, g, b], frames: video.getVideoPlaybackQuality().totalVideoFrames };
}
