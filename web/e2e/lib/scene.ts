// How tests begin, and what is put away after them: servers, people in browsers, rooms of their own.
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { type BrowserOptions, openChromium, type Page } from './browser.js';
import { Internet } from './nat.js';
import { Participant, type Shown } from './participant.js';
import { Server, type ServerOptions } from './server.js';

export const looks = {
  Ada: { colour: 'red', hz: 440 },
  Bob: { colour: 'green', hz: 880 },
  Eve: { colour: 'blue', hz: 1320 },
  Mallory: { colour: 'blue', hz: 1320 },
} satisfies Record<string, Shown>;

export type Name = keyof typeof looks;

export type Circumstances = Omit<BrowserOptions, keyof Shown> & { browser?: (options: BrowserOptions) => Promise<Page> };

/** Runs a server for the tests of a file or a block. */
export function serving(options?: ServerOptions): Server {
  const server = new Server(options);
  beforeAll(() => server.start());
  afterAll(() => stopped(server));
  return server;
}

/** Runs a server until the end of the test. */
export async function running(options?: ServerOptions): Promise<Server> {
  const server = new Server(options);
  await server.start();
  onTestFinished(() => stopped(server));
  return server;
}

async function stopped(server: Server): Promise<void> {
  expect(await server.stop(), 'exit code after SIGTERM').toBe(0);
}

/** An Internet for the tests of a file. */
export function internetOfFile(): Internet {
  const internet = new Internet();
  beforeAll(() => internet.open());
  afterAll(() => internet.remove());
  return internet;
}

/** Somebody in a browser of their own, until the end of the test. */
export async function person(name: Name, circumstances: Circumstances = {}): Promise<Participant> {
  return opened(name, looks[name], circumstances);
}

/** The same for anybody. */
export async function opened(name: string, shown: Shown, { browser = openChromium, ...options }: Circumstances = {}): Promise<Participant> {
  const participant = new Participant(await browser({ ...shown, ...options }), name, shown);
  onTestFinished(() => participant.close());
  return participant;
}

let rooms = 0;

export const newRoom = (): string => `room-${++rooms}`;

/** They join a new room one after another, whose name it gives. */
export async function gather(url: string, ...people: Participant[]): Promise<string> {
  const room = newRoom();
  for (const p of people) await p.join(url, room);
  return room;
}

/** Each sees and hears all others. */
export async function allMeet(...people: Participant[]): Promise<void> {
  await Promise.all(
    people.map(async (who) => {
      for (const other of people) {
        if (other === who) continue;
        await who.sees(other.name, other.shown.colour);
        await who.hears(other.name, other.shown.hz);
      }
    }),
  );
}

/** They join a new room, and each sees and hears all others. */
export async function meet(url: string, ...people: Participant[]): Promise<string> {
  const room = await gather(url, ...people);
  await allMeet(...people);
  return room;
}
