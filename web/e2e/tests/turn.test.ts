import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type BrowserOptions, openChromium, openFirefox, type Page } from '../lib/browser.js';
import { Domain } from '../lib/domain.js';
import { Internet, type NAT, wan } from '../lib/nat.js';
import { Participant } from '../lib/participant.js';
import { path, relayOnly } from '../lib/rtc.js';
import { Server } from '../lib/server.js';

const internet = new Internet();
const domain = new Domain('meet.test', wan);
const open: Participant[] = [];

beforeAll(() => internet.open());

/** Runs the tests of a block with a server of their own. */
function serving(...flags: string[]): Server {
  const server = new Server({ domain, flags });
  beforeAll(() => server.start());
  afterAll(async () => {
    expect(await server.stop()).toBe(0);
  });
  return server;
}

afterAll(() => {
  domain.remove();
  internet.remove();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((p) => p.close()));
});

interface Way {
  browser?: (options: BrowserOptions) => Promise<Page>;
  nat?: NAT;
  init?: string;
}

async function person(name: string, colour: 'red' | 'green', { browser = openChromium, nat, init }: Way): Promise<Participant> {
  const page = await browser({
    colour,
    hz: colour === 'red' ? 440 : 880,
    authority: domain.authority,
    ...(nat && { host: { namespace: internet.add(nat), origin: `https://${domain.name}` } }),
    ...(init && { init }),
  });
  const participant = new Participant(page, name);
  open.push(participant);
  return participant;
}

async function meet(server: Server, room: string, ada: Participant, bob: Participant): Promise<void> {
  await ada.join(server.url, room);
  await bob.join(server.url, room);
  await ada.sees('Bob', 'green');
  await bob.sees('Ada', 'red');
  await ada.hears('Bob', 880);
  await bob.hears('Ada', 440);
}

describe('TURN over UDP on a port of its own, TCP and TLS on that of HTTPS', () => {
  const server = serving('--turn-udp', `${wan}:3478`);

  for (const transport of ['udp', 'tcp', 'tls'] as const) {
    test(`Chromium and Firefox through TURN over ${transport}`, async () => {
      const init = relayOnly(transport);
      const ada = await person('Ada', 'red', { init });
      const bob = await person('Bob', 'green', { browser: openFirefox, init });
      await meet(server, `relayed-${transport}`, ada, bob);
      for (const p of [ada, bob]) expect(await path(p.page)).toMatchObject({ type: 'relay', relayProtocol: transport, port: 443 });
    });
  }
});

describe('everything on one port', () => {
  const server = serving();

  test('where nothing but port 443 is open, media goes straight over UDP', async () => {
    const ada = await person('Ada', 'red', { nat: 'only443' });
    const bob = await person('Bob', 'green', { browser: openFirefox });
    await meet(server, 'only-443', ada, bob);
    for (const p of [ada, bob]) {
      const { type, protocol, port } = await path(p.page);
      expect([type === 'relay', protocol, port]).toEqual([false, 'udp', 443]);
    }
  });

  test('where nothing but port 443 over TCP is open, media goes over TCP or TLS', async () => {
    const ada = await person('Ada', 'red', { nat: 'only443tcp' });
    const bob = await person('Bob', 'green', { nat: 'only443tcp', init: relayOnly('tls') });
    await meet(server, 'only-443-tcp', ada, bob);
    const { type, protocol, relayProtocol, port } = await path(ada.page);
    expect([type === 'relay' ? relayProtocol : protocol, port]).toEqual([expect.stringMatching('tcp|tls'), 443]);
    expect(await path(bob.page)).toMatchObject({ type: 'relay', relayProtocol: 'tls', port: 443 });
  });
});
