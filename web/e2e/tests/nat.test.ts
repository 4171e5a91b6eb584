import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openChromium } from '../lib/browser.js';
import { Internet, type NAT, wan } from '../lib/nat.js';
import { Participant } from '../lib/participant.js';
import { path, relayOnly } from '../lib/rtc.js';
import { Server } from '../lib/server.js';

const internet = new Internet();
const server = new Server({ host: wan });
const open: Participant[] = [];

beforeAll(() => {
  internet.open();
  return server.start();
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  internet.remove();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((p) => p.close()));
});

async function person(name: string, colour: 'red' | 'green', nat: NAT, init?: string): Promise<Participant> {
  const host = { namespace: internet.add(nat), origin: server.url };
  const page = await openChromium({ colour, hz: colour === 'red' ? 440 : 880, host, ...(init && { init }) });
  const participant = new Participant(page, name);
  open.push(participant);
  return participant;
}

async function meet(room: string, ada: Participant, bob: Participant): Promise<void> {
  await ada.join(server.url, room);
  await bob.join(server.url, room);
  await ada.sees('Bob', 'green');
  await bob.sees('Ada', 'red');
  await ada.hears('Bob', 880);
  await bob.hears('Ada', 440);
}

test('two people behind two symmetric NATs, by the shortest way', async () => {
  const ada = await person('Ada', 'red', 'symmetric');
  const bob = await person('Bob', 'green', 'symmetric');
  await meet('symmetric', ada, bob);
  expect((await path(ada.page)).protocol).toBe('udp');
});

test('two people behind two symmetric NATs, through TURN', async () => {
  const ada = await person('Ada', 'red', 'symmetric', relayOnly('udp'));
  const bob = await person('Bob', 'green', 'symmetric', relayOnly('udp'));
  await meet('relayed', ada, bob);
  for (const p of [ada, bob]) expect(await path(p.page)).toMatchObject({ type: 'relay', relayProtocol: 'udp' });
});

test('where UDP is blocked, media goes over TCP', async () => {
  const ada = await person('Ada', 'red', 'udpBlocked');
  const bob = await person('Bob', 'green', 'cone');
  await meet('blocked', ada, bob);
  const { type, protocol, relayProtocol } = await path(ada.page);
  expect(type === 'relay' ? relayProtocol : protocol).toBe('tcp');
});
