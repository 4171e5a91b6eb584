import { afterAll, describe, expect, test } from 'vitest';
import { openFirefox } from '../lib/browser.js';
import { Domain } from '../lib/domain.js';
import { type NAT, wan } from '../lib/nat.js';
import type { Participant } from '../lib/participant.js';
import { path, relayOnly } from '../lib/rtc.js';
import { type Circumstances, internetOfFile, meet, type Name, person, serving } from '../lib/scene.js';

const internet = internetOfFile();
const domain = new Domain('meet.test', wan);
afterAll(() => domain.remove());

/** Somebody whose browser trusts the domain's certificate. */
const guest = (name: Name, circumstances: Circumstances = {}): Promise<Participant> =>
  person(name, { authority: domain.authority, ...circumstances });

const behind = (nat: NAT): Circumstances => ({ host: internet.host(nat, `https://${domain.name}`) });

describe('TURN over UDP on a port of its own, TCP and TLS on that of HTTPS', () => {
  const server = serving({ domain, flags: ['--turn-udp', `${wan}:3478`] });

  for (const transport of ['udp', 'tcp', 'tls'] as const) {
    test(`Chromium and Firefox through TURN over ${transport}`, async () => {
      const init = relayOnly(transport);
      const [ada, bob] = await Promise.all([guest('Ada', { init }), guest('Bob', { browser: openFirefox, init })]);
      await meet(server.url, ada, bob);
      for (const p of [ada, bob]) expect(await path(p.page)).toMatchObject({ type: 'relay', relayProtocol: transport, port: 443 });
    });
  }
});

describe('everything on one port', () => {
  const server = serving({ domain });

  test('where nothing but port 443 is open, media goes straight over UDP', async () => {
    const [ada, bob] = await Promise.all([guest('Ada', behind('only443')), guest('Bob', { browser: openFirefox })]);
    await meet(server.url, ada, bob);
    for (const p of [ada, bob]) {
      const { type, protocol, port } = await path(p.page);
      expect([type === 'relay', protocol, port]).toEqual([false, 'udp', 443]);
    }
  });

  test('where nothing but port 443 over TCP is open, media goes over TCP or TLS', async () => {
    const [ada, bob] = await Promise.all([
      guest('Ada', behind('only443tcp')),
      guest('Bob', { ...behind('only443tcp'), init: relayOnly('tls') }),
    ]);
    await meet(server.url, ada, bob);
    const { type, protocol, relayProtocol, port } = await path(ada.page);
    expect([type === 'relay' ? relayProtocol : protocol, port]).toEqual([expect.stringMatching('tcp|tls'), 443]);
    expect(await path(bob.page)).toMatchObject({ type: 'relay', relayProtocol: 'tls', port: 443 });
  });
});
