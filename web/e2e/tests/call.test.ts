import { describe, expect, onTestFinished, test } from 'vitest';
import { path } from '../lib/rtc.js';
import { allMeet, gather, meet, newRoom, person, serving } from '../lib/scene.js';
import { pause, Proxy } from '../lib/server.js';
import { endOf, misbehaviours, refusalOf } from '../lib/socket.js';
import { watching } from '../lib/watch.js';

const server = serving();

describe('a call of three in Chromium', () => {
  test('each sees and hears the two others; one shares, one mutes, one leaves, chat arrives', async () => {
    const [ada, bob, eve] = await Promise.all([person('Ada'), person('Bob'), person('Eve')]);
    await meet(server.url, ada, bob, eve);
    expect((await path(ada.page)).srtp).toContain('AEAD_AES_128_GCM');

    await ada.page.click('screen-toggle');
    await bob.sees('Ada', 'any', 'screen');
    await eve.sees('Ada', 'any', 'screen');
    await bob.sees('Ada', 'red');
    await ada.page.click('screen-toggle'); // and once more, on the m-line of the first time
    await bob.withoutScreen('Ada');
    await ada.page.click('screen-toggle');
    await bob.sees('Ada', 'any', 'screen');

    await bob.page.click('mic-toggle');
    for (const p of [ada, eve]) await p.reads('tile-muted', 'Bob');

    await ada.says('hello from Ada');
    await bob.page.click('chat-toggle');
    await bob.reads('chat-message', 'hello from Ada');

    await eve.page.click('leave');
    await ada.withTiles(['Ada', 'Bob']);
    await bob.withTiles(['Ada', 'Bob']);
    await ada.sees('Bob', 'green');
  });

  test('without a camera and a microphone one can still watch and chat', async () => {
    const [ada, bob] = await Promise.all([person('Ada'), person('Bob', { bare: true })]);
    await gather(server.url, ada, bob);
    await bob.sees('Ada', 'red');
    await bob.hears('Ada', 440);
    await bob.says('only watching');
    await ada.page.click('chat-toggle');
    await ada.reads('chat-message', 'only watching');
  });
});

test('a WebSocket cut in the call is resumed: no gap in media, no leave seen, nothing lost', async () => {
  const proxy = new Proxy(7890, 7880);
  await proxy.start();
  onTestFinished(() => proxy.stop());
  const [ada, bob] = await Promise.all([person('Ada'), person('Bob')]);
  const room = newRoom();
  await ada.join(proxy.url, room);
  await bob.join(server.url, room);
  await allMeet(ada, bob);
  const watch = await watching([bob, 'Ada'], [ada, 'Bob']);

  proxy.cut();
  await ada.state('reconnecting');
  await bob.page.click('mic-toggle'); // what Ada must learn after the resume
  await pause(2500);
  proxy.mend();
  await ada.state('connected');
  await ada.reads('tile-muted', 'Bob');
  await watch.undisturbed();
});

test('wrong, expired and missing tokens get a clear error and disturb nobody', async () => {
  const [ada, bob, mallory] = await Promise.all([person('Ada'), person('Bob'), person('Mallory')]);
  const room = await gather(server.url, ada, bob);
  await ada.sees('Bob', 'green');
  const watch = await watching([ada, 'Bob']);

  const [head = '', body = ''] = (await server.token(room, 'mallory')).split('.');
  const wrong = `${head}.${body}.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`;
  await mallory.page.goto(`${server.url}/r/${room}#token=${wrong}`);
  await mallory.page.fill('name-input', 'Mallory');
  await mallory.page.click('join');
  await mallory.reads('error', 'invitation');

  const refused = (token?: string) => refusalOf(mallory.page, server.url, token);
  expect(await refused(wrong)).toEqual({ code: 'auth.invalid', close: 1008 });
  expect(await refused()).toEqual({ code: 'auth.missing', close: 1008 });
  expect(await refused(server.mint(room, 'late', '--ttl', '-1m'))).toEqual({ code: 'auth.expired', close: 1008 });

  await pause(1000);
  await watch.undisturbed();
  await ada.withTiles(['Ada', 'Bob']);
});

test('a participant that sends garbage is told or closed, and a call in the same room goes on', async () => {
  const [ada, bob, mallory] = await Promise.all([person('Ada'), person('Bob'), person('Mallory')]);
  const room = await meet(server.url, ada, bob);
  const watch = await watching([ada, 'Bob']);

  await mallory.page.goto(server.url);
  const ends = await Promise.all(
    misbehaviours.map(async (kind) => [kind, await endOf(mallory.page, server.url, await server.token(room, kind), kind)] as const),
  );
  expect(Object.fromEntries(ends)).toEqual({
    malformed: 'protocol.malformed 1000',
    unknown: 'protocol.unknownType 1000',
    large: '1009',
    binary: 'data.malformed 1000',
    flood: 'rate.limited 4006',
  });
  await watch.withoutGap();
  await ada.sees('Bob', 'green');
  await bob.hears('Ada', 440);
});

test('a server that is killed and started again gets its call back', async () => {
  const [ada, bob] = await Promise.all([person('Ada'), person('Bob')]);
  await meet(server.url, ada, bob);
  await server.kill();
  await ada.state('reconnecting');
  await server.start();
  await ada.state('connected', 40_000);
  await bob.state('connected', 40_000);
  await allMeet(ada, bob);
});
