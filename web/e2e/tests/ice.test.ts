import { expect, onTestFinished, test } from 'vitest';
import { openFirefox } from '../lib/browser.js';
import { Internet, wan } from '../lib/nat.js';
import { path, withSTUN } from '../lib/rtc.js';
import { meet, type Name, person, running } from '../lib/scene.js';

// All other tests have rtc.ice lite.
test('Chromium and Firefox meet on a server with rtc.ice full', async () => {
  const server = await running({ flags: ['--rtc-ice', 'full'] });
  const [ada, bob] = await Promise.all([person('Ada'), person('Bob', { browser: openFirefox })]);
  await meet(server.url, ada, bob);
  expect(await path(ada.page)).toMatchObject({ protocol: 'udp', srtp: expect.stringContaining('AEAD_AES_128_GCM') as string });
});

test('people behind NATs reach a server behind a NAT', async () => {
  const internet = new Internet();
  internet.open();
  onTestFinished(() => internet.remove());
  await running({ host: wan }); // the STUN server of all
  const site = internet.add('cone');
  const { inside, outside } = internet.forward(site, 7880);
  const server = await running({
    host: outside,
    behind: { namespace: site, address: inside },
    flags: ['--rtc-ice', 'full', '--rtc-stun', `${wan}:3478`, '--no-turn-enabled'],
  });
  const behindNAT = (name: Name) => person(name, { host: internet.host('cone', server.url), init: withSTUN(`${wan}:3478`) });
  const [ada, bob] = await Promise.all([behindNAT('Ada'), behindNAT('Bob')]);
  await meet(server.url, ada, bob);
  expect((await path(ada.page)).protocol).toBe('udp');
});
