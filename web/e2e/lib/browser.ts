// Real browsers, one per participant, so that each has a camera of its own colour and a microphone of its own tone.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import { trust } from './domain.js';
import { type Colour, writeCamera, writeTone } from './media.js';
import { type Look, writePortrait } from './portrait.js';
import { SoundCard } from './sound.js';

/** What a test needs of a page, whichever browser shows it. */
export interface Page {
  goto(url: string): Promise<void>;
  evaluate<T, A>(f: (arg: A) => T | Promise<T>, arg: A): Promise<T>;
  click(testid: string): Promise<void>;
  fill(testid: string, text: string): Promise<void>;
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

/** A browser with as many pages as are opened. */
export interface Browser {
  tab(): Promise<Page>;
  close(): Promise<void>;
}

export interface BrowserOptions {
  colour: Colour;
  hz: number;
  /** A person in front of the camera, in place of the colour. */
  look?: Look;
  /** Runs in the page before any of its own scripts. */
  init?: string;
  /** Without any camera or microphone. */
  bare?: boolean;
  viewport?: { width: number; height: number };
  dark?: boolean;
  /** A folder whose files are shown under /pages/ of every server. */
  pages?: string;
  /** The network namespace it runs in, and an origin that is to count as secure there. */
  host?: { namespace: string; origin: string };
  /** PEM file of an authority whose certificates it trusts. */
  authority?: string;
}

const elsewhere = resolve(import.meta.dirname, '../chromium-in-namespace');

const quiet = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--mute-audio',
  '--autoplay-policy=no-user-gesture-required',
];

export async function openChromium(options: BrowserOptions): Promise<Page> {
  const browser = await openTabs(options);
  return { ...(await browser.tab()), close: () => browser.close() };
}

export async function openTabs(options: BrowserOptions): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'turnout-e2e-'));
  const camera = join(folder, 'camera.y4m');
  const tone = join(folder, 'tone.wav');
  if (options.look) writePortrait(camera, options.look);
  else writeCamera(camera, options.colour);
  writeTone(tone, options.hz);
  const fake = [
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--auto-accept-this-tab-capture',
    `--use-file-for-fake-video-capture=${camera}`,
    `--use-file-for-fake-audio-capture=${tone}`,
  ];
  const args = [...quiet, ...(options.bare ? [] : fake)];
  if (options.authority) trust(join(folder, '.pki/nssdb'), options.authority);
  if (options.host) args.push(`--unsafely-treat-insecure-origin-as-secure=${options.host.origin}`);
  const browser = await chromium.launch({
    executablePath: options.host ? elsewhere : '/usr/bin/chromium',
    env: {
      ...process.env,
      ...(options.host && { TURNOUT_E2E_HOST: options.host.namespace }),
      ...(options.authority && { HOME: folder }), // where its certificate database is
    },
    headless: true,
    args,
  });
  const context = await browser.newContext({
    permissions: options.bare ? [] : ['camera', 'microphone'],
    viewport: options.viewport ?? { width: 1000, height: 700 },
    colorScheme: options.dark ? 'dark' : 'light',
  });
  const { pages } = options;
  if (pages)
    await context.route('**/pages/**', (route) =>
      route.fulfill({ path: join(pages, new URL(route.request().url()).pathname.replace(/^\/pages\//, '')) }),
    );
  const problems: string[] = [];
  const tab = async (): Promise<Page> => {
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) problems.push(message.text());
    });
    await page.addInitScript(steadyTone);
    if (options.init) await page.addInitScript(options.init);
    return {
      goto: async (url) => {
        await page.goto(url);
      },
      evaluate: (f, arg) => within(20_000, 'evaluate', page.evaluate(f as never, arg as never)) as never,
      click: (testid) => page.getByTestId(testid).first().click({ timeout: 10_000 }),
      fill: (testid, text) => page.getByTestId(testid).first().fill(text, { timeout: 10_000 }),
      press: (key) => page.keyboard.press(key),
      type: (text) => page.keyboard.type(text),
      screenshot: async (path) => {
        await page.screenshot({ path });
      },
      close: () => page.close(),
    };
  };
  return {
    tab,
    close: async () => {
      await browser.close();
      rmSync(folder, { recursive: true, force: true });
      if (problems.length > 0) throw new Error(`errors in the page: ${problems.join('; ')}`);
    },
  };
}

/** Firefox ESR by WebDriver BiDi. Its fake camera has no colour of ours, so a canvas takes the camera's place. */
export async function openFirefox(options: BrowserOptions): Promise<Page> {
  const sound = new SoundCard();
  await sound.start();
  const profile = mkdtempSync(join(tmpdir(), 'turnout-e2e-'));
  if (options.authority) trust(profile, options.authority);
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    userDataDir: profile,
    headless: true,
    timeout: 60_000,
    protocolTimeout: 60_000,
    env: { ...process.env, ...sound.env },
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'media.autoplay.default': 0,
      'media.autoplay.blocking_policy': 0,
      'media.gmp-manager.updateEnabled': false,
      'media.gmp-provider.enabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'app.normandy.enabled': false,
      'browser.safebrowsing.malware.enabled': false,
      'services.settings.server': 'http://127.0.0.1:1/',
    },
  });
  const page = await browser.newPage();
  await page.setViewport(options.viewport ?? { width: 1000, height: 700 });
  await page.evaluateOnNewDocument(canvasCamera(options.colour, options.hz));
  if (options.init) await page.evaluateOnNewDocument(options.init);
  const find = async (testid: string) => {
    const element = await page.waitForSelector(`[data-testid="${testid}"]`, { timeout: 10_000, visible: true });
    if (!element) throw new Error(`no ${testid}`);
    return element;
  };
  return {
    goto: async (url) => {
      await page.goto(url);
    },
    evaluate: (f, arg) => within(20_000, 'evaluate', page.evaluate(f as never, arg as never)),
    click: async (testid) => (await find(testid)).click(),
    fill: async (testid, text) => {
      const element = await find(testid);
      await element.click({ count: 3 });
      await element.type(text);
    },
    press: (key) => page.keyboard.press(key as never),
    type: (text) => page.keyboard.type(text),
    screenshot: async (path) => {
      await page.screenshot({ path: path });
    },
    close: async () => {
      await browser.close();
      await sound.stop();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Noise suppression takes a steady tone for noise: it is off in tests. */
const steadyTone = `if (navigator.mediaDevices) {
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  navigator.mediaDevices.getUserMedia = (wish) =>
    ask(wish.audio ? { ...wish, audio: { ...(wish.audio === true ? {} : wish.audio), ...plain } } : wish);
}`;

/** A getUserMedia that gives a canvas of one colour and an oscillator. */
function canvasCamera(colour: Colour, hz: number): string {
  return `navigator.mediaDevices.getUserMedia = async (wish) => {
    const stream = new MediaStream();
    if (wish.video) {
      const canvas = document.createElement('canvas');
      canvas.width = 320; canvas.height = 180;
      const paint = canvas.getContext('2d');
      let n = 0;
      const draw = () => {
        paint.fillStyle = ${JSON.stringify({ red: '#f00', green: '#0c0', blue: '#00f' }[colour])}; paint.fillRect(0, 0, 320, 180);
        paint.fillStyle = '#fff'; paint.fillRect((n++ * 7) % 320, 0, 24, 16);
      };
      draw(); setInterval(draw, 100);
      stream.addTrack(canvas.captureStream(10).getVideoTracks()[0]);
    }
    if (wish.audio) {
      const context = new AudioContext();
      const tone = context.createOscillator(); tone.frequency.value = ${hz};
      const gain = context.createGain(); gain.gain.value = 0.3;
      const out = context.createMediaStreamDestination();
      tone.connect(gain).connect(out); tone.start(); context.resume();
      stream.addTrack(out.stream.getAudioTracks()[0]);
    }
    return stream;
  };`;
}

/** Fails instead of waiting for ever: a browser that hangs must not hang the tests. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => (timer = setTimeout(() => fail(new Error(`${what} took more than ${ms} ms`)), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
