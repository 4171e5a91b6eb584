import { resolve } from 'node:path';
import { test } from 'vitest';
import type { Participant } from '../lib/participant.js';
import type { Look } from '../lib/portrait.js';
import { looks, opened, running } from '../lib/scene.js';
import { pause } from '../lib/server.js';

const pictures = resolve(import.meta.dirname, '../../../docs/images');
const viewport = { width: 1280, height: 800 };

const people: { name: string; look: Look }[] = [
  {
    name: 'Ada',
    look: { wall: [52, 70, 92], light: [196, 178, 150], skin: [224, 178, 146], hair: [74, 48, 36], shirt: [44, 110, 96], long: true },
  },
  { name: 'Kwame', look: { wall: [108, 82, 64], light: [226, 190, 140], skin: [122, 78, 54], hair: [26, 22, 22], shirt: [214, 206, 190] } },
  {
    name: 'Mei',
    look: { wall: [70, 84, 74], light: [206, 214, 188], skin: [236, 200, 168], hair: [30, 28, 32], shirt: [176, 72, 68], long: true },
  },
  {
    name: 'Jonas',
    look: { wall: [78, 74, 100], light: [190, 176, 208], skin: [240, 204, 178], hair: [168, 118, 66], shirt: [58, 76, 120] },
  },
];

test('a call of four, with the chat open', async () => {
  const server = await running();
  const open: Participant[] = [];
  for (const { name, look } of people) {
    const p = await opened(name, looks.Ada, { look, viewport, dark: true });
    open.push(p);
    await p.join(server.url, 'standup');
    if (name !== 'Ada') await p.page.click('mic-toggle');
  }
  const [ada, kwame, mei] = open;
  if (!ada || !kwame || !mei) throw new Error('three people at least');
  for (const { name } of people.slice(1)) await ada.sees(name, 'any');
  await mei.says('Slides are in the notes, page 3.');
  await kwame.says('Thanks! I can see everyone, no lag here.');
  await ada.says('Great, let us start with the demo.');
  await pause(2000);
  await ada.page.screenshot(`${pictures}/call.png`);
});
