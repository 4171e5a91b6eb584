import { afterEach, expect, test } from 'vitest';
import { type BrowserOptions, openChromium, openFirefox } from '../lib/browser.js';
import { Internet, wan } from '../lib/nat.js';
import { Participant } from '../lib/participant.js';
import { path, withSTUN } from '../lib/rtc.js';
import { Server } from '../lib/server.js';

const open: Participant[] = [];
const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((p) => p.close()));
  for (const s of servers.splice(0).reverse()) expect(await s.stop()).toBe(0);
});

const red: BrowserOptions = { colour: 'red', hz: 440 };
const green: BrowserOptions = { colour: 'green', hz: 880 };

async function start(server: Server): Promise<Server> {
  servers.push(server);
  await server.start();
  return server;
}

async function meet(url: string, ada: Participant, bob: Participant): Promise<void> {
  open.push(ada, bob);
  await ada.join(url, 'ice');
  await bob.join(url, 'ice');
  await ada.sees('Bob', 'green');
  await bob.sees('Ada', 'red');
  await ada.hears('Bob', 880);
  await bob.hears('Ada', 440);
}

// All other tests have rtc.ice lite.
test('Chromium and Firefox meet on a server with rtc.ice full', async () => {
  const server = await start(new Server({ flags: ['--rtc-ice', 'full'] }));
  const ada = new Participant(await openChromium(red), 'Ada');
  const bob = new Participant(await openFirefox(green), 'Bob');
  await meet(server.url, ada, bob);
  expect(await path(ada.page)).toMatchObject({ protocol: 'udp', srtp: expect.stringContaining('AEAD_AES_128_GCM') as string });
});

test('people behind NATs reach a server behind a NAT', async () => {
  const internet = new Internet();
  internet.open();
  try {
    await start(new Server({ host: wan })); // the STUN server of all
    const site = internet.add('cone');
    const { inside, outside } = internet.forward(site, 7880);
    const server = await start(
      new Server({
        host: outside,
        behind: { namespace: site, address: inside },
        flags: ['--rtc-ice', 'full', '--rtc-stun', `${wan}:3478`, '--no-turn-enabled'],
      }),
    );
    const person = async (name: string, options: BrowserOptions): Promise<Participant> => {
      const host = { namespace: internet.add('cone'), origin: server.url };
      return new Participant(await openChromium({ ...options, host, init: withSTUN(`${wan}:3478`) }), name);
    };
    await meet(server.url, await person('Ada', red), await person('Bob', green));
    expect((await path((open[0] as Participant).page)).protocol).toBe('udp');
  } finally {
    await Promise.all(open.splice(0).map((p) => p.close()));
    for (const s of servers.splice(0).reverse()) expect(await s.stop()).toBe(0);
    internet.remove();
  }
});
