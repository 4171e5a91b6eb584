import { expect, test } from 'vitest';
import { type NAT, wan } from '../lib/nat.js';
import type { Participant } from '../lib/participant.js';
import { path, relayOnly, withoutServers } from '../lib/rtc.js';
import { internetOfFile, meet, type Name, person, serving } from '../lib/scene.js';

const internet = internetOfFile();
const server = serving({ host: wan });

const behind = (nat: NAT, name: Name, init?: string): Promise<Participant> =>
  person(name, { host: internet.host(nat, server.url), ...(init && { init }) });

test('two people behind two symmetric NATs, by the shortest way', async () => {
  const [ada, bob] = await Promise.all([behind('symmetric', 'Ada'), behind('symmetric', 'Bob')]);
  await meet(server.url, ada, bob);
  expect((await path(ada.page)).protocol).toBe('udp');
});

test('two people behind two symmetric NATs, through TURN', async () => {
  const init = relayOnly('udp');
  const [ada, bob] = await Promise.all([behind('symmetric', 'Ada', init), behind('symmetric', 'Bob', init)]);
  await meet(server.url, ada, bob);
  for (const p of [ada, bob]) expect(await path(p.page)).toMatchObject({ type: 'relay', relayProtocol: 'udp' });
});

test('where UDP is blocked and there is no TURN server, media goes over ICE-TCP', async () => {
  const [ada, bob] = await Promise.all([behind('udpBlocked', 'Ada', withoutServers), behind('cone', 'Bob')]);
  await meet(server.url, ada, bob);
  const { type, protocol, port } = await path(ada.page);
  expect([type === 'relay', protocol, port]).toEqual([false, 'tcp', 7882]);
});
