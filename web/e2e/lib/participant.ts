// A person in a call, by the app's buttons, and what that person sees and hears.
import './app.js';
import type { Page } from './browser.js';
import type { Colour } from './media.js';
import { pause } from './server.js';

export interface Heard {
  hz: number;
  level: number;
}

/** What a camera shows, and the tone of a microphone. */
export interface Shown {
  colour: Colour;
  hz: number;
}

export class Participant {
  #closed = false;

  constructor(
    readonly page: Page,
    readonly name: string,
    readonly shown: Shown,
  ) {}

  /** Opens the room, gives the name and joins by the button. */
  async join(url: string, room: string, fragment = ''): Promise<void> {
    await this.page.goto(`${url}/r/${room}${fragment}`);
    await this.page.fill('name-input', this.name);
    await this.page.click('join');
    await this.state('connected');
  }

  /** Opens the chat and says something there. */
  async says(text: string): Promise<void> {
    await this.page.click('chat-toggle');
    await this.page.fill('chat-input', text);
    await this.page.click('chat-send');
  }

  /** Waits until the app shows the connection state. */
  state(wanted: string, ms = 20_000): Promise<void> {
    return eventually(`${this.name} ${wanted}`, ms, async () => {
      const shown = await this.page.evaluate(() => {
        const state = document.querySelector('[data-testid="connection-state"]')?.getAttribute('data-state');
        return { state, page: document.body.innerText.slice(0, 200) };
      }, null);
      return shown.state === wanted ? true : `state is ${shown.state}, the page says ${JSON.stringify(shown.page)}`;
    });
  }

  /** Waits until the tile of another shows frames of a colour. source is camera or screen. */
  sees(name: string, colour: Colour | 'any', source = 'camera', ms = 30_000): Promise<void> {
    return eventually(`${this.name} sees ${name} ${colour}`, ms, async () => {
      const seen = await this.page.evaluate(lookAt, { name, source });
      if (typeof seen === 'string') return seen;
      if (seen.frames < 2) return `only ${seen.frames} new frames`;
      return colour === 'any' || colourOf(seen.rgb) === colour ? true : `colour ${seen.rgb.join(',')}`;
    });
  }

  /** Waits until the microphone of another carries a tone, within 3 %. */
  hears(name: string, hz: number, ms = 30_000): Promise<void> {
    return eventually(`${this.name} hears ${name} at ${hz} Hz`, ms, async () => {
      const heard = await this.page.evaluate(listenTo, name);
      if (typeof heard === 'string') return heard;
      return heard.level > 60 && Math.abs(heard.hz - hz) < hz * 0.03 ? true : `${heard.hz} Hz at ${heard.level}`;
    });
  }

  /** Waits until text stands in an element of the page. */
  reads(testid: string, text: string, ms = 10_000): Promise<void> {
    return eventually(`${this.name} reads "${text}" in ${testid}`, ms, async () => {
      const all = await this.page.evaluate(
        (id) => [...document.querySelectorAll(`[data-testid="${id}"]`)].map((e) => e.textContent),
        testid,
      );
      return all.some((t) => t.includes(text)) ? true : `found ${JSON.stringify(all)}`;
    });
  }

  /** Waits until exactly these names have a tile, one's own included. */
  withTiles(names: string[], ms = 15_000): Promise<void> {
    const want = [...names].sort().join();
    return eventually(`${this.name} has tiles of ${want}`, ms, async () => {
      const all = await this.page.evaluate(
        () =>
          [...new Set([...document.querySelectorAll('[data-testid="tile"]')].map((e) => e.getAttribute('data-name') ?? ''))].sort().join(),
        null,
      );
      return all === want ? true : `tiles of ${all}`;
    });
  }

  /** Waits until the screen of another is no longer there. */
  withoutScreen(name: string): Promise<void> {
    return eventually(`${this.name} sees no screen of ${name}`, 10_000, async () => {
      const found = await this.page.evaluate(
        (who) => document.querySelector(`[data-testid="tile"][data-source="screen"][data-name="${who}"]`) !== null,
        name,
      );
      return found ? 'it is there' : true;
    });
  }

  /** May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.page.close();
  }
}

/** Polls until f gives true; a string says why not yet. */
export async function eventually(what: string, ms: number, f: () => Promise<true | string>): Promise<void> {
  const end = Date.now() + ms;
  let why = 'never asked';
  while (Date.now() < end) {
    try {
      const answer = await f();
      if (answer === true) return;
      why = answer;
    } catch (error) {
      why = String(error);
    }
    await pause(150);
  }
  throw new Error(`not within ${ms} ms: ${what} (${why})`);
}

function colourOf([r, g, b]: readonly [number, number, number]): string {
  if (r > 120 && g < 100 && b < 100) return 'red';
  if (g > 80 && r < 100 && b < 100) return 'green';
  if (b > 100 && r < 100 && g < 100) return 'blue';
  return 'other';
}

// The functions below run in the page.

async function lookAt({
  name,
  source,
}: {
  name: string;
  source: string;
}): Promise<string | { rgb: [number, number, number]; frames: number }> {
  const tile = [...document.querySelectorAll('[data-testid="tile"]')].find(
    (e) => e.getAttribute('data-name') === name && (e.getAttribute('data-source') ?? 'camera') === source,
  );
  if (!tile) return 'no tile';
  const video = tile.querySelector('video');
  if (!video || video.videoWidth === 0) return 'no picture';
  let frames = 0; // Firefox counts none in getVideoPlaybackQuality for a MediaStream
  let looking = true;
  const count = (): void => {
    frames++;
    if (looking) video.requestVideoFrameCallback(count);
  };
  video.requestVideoFrameCallback(count);
  await new Promise((end) => setTimeout(end, 600));
  looking = false;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const paint = canvas.getContext('2d');
  if (!paint) return 'no canvas';
  paint.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 2, 2, 0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = paint.getImageData(0, 0, 1, 1).data;
  return { rgb: [r, g, b], frames };
}

async function listenTo(name: string): Promise<string | Heard> {
  const { room } = window.turnout;
  const participant = [...room.participants.values()].find((p) => p.name === name);
  const media = participant?.publication('microphone')?.track?.media;
  if (!media) return 'no microphone track';
  const context = new AudioContext();
  try {
    await context.resume();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    context.createMediaStreamSource(new MediaStream([media])).connect(analyser);
    const bins = new Uint8Array(analyser.frequencyBinCount);
    let best = { hz: 0, level: 0 };
    for (let i = 0; i < 8; i++) {
      await new Promise((end) => setTimeout(end, 100));
      analyser.getByteFrequencyData(bins);
      bins.forEach((level, bin) => {
        if (level > best.level) best = { level, hz: (bin * context.sampleRate) / analyser.fftSize };
      });
    }
    return best;
  } finally {
    await context.close();
  }
}
