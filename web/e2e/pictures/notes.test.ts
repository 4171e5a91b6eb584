import { resolve } from 'node:path';
import { test } from 'vitest';
import type { Participant } from '../lib/participant.js';
import type { Look } from '../lib/portrait.js';
import { looks, opened, running } from '../lib/scene.js';
import { pause } from '../lib/server.js';

const pictures = resolve(import.meta.dirname, '../../../docs/images');

const portraits: Record<string, Look> = {
  Ada: { wall: [52, 70, 92], light: [196, 178, 150], skin: [224, 178, 146], hair: [74, 48, 36], shirt: [44, 110, 96], long: true },
  Mei: { wall: [70, 84, 74], light: [206, 214, 188], skin: [236, 200, 168], hair: [30, 28, 32], shirt: [176, 72, 68], long: true },
};

test('notes of two', async () => {
  const server = await running();
  const open: Participant[] = [];
  for (const [name, look] of Object.entries(portraits)) {
    const p = await opened(name, looks.Ada, { look, viewport: { width: 1280, height: 800 } });
    open.push(p);
    await p.join(server.url, 'standup');
    await p.page.click('notes-toggle');
    await p.page.click('notes-text');
  }
  const [ada, mei] = open;
  if (!ada || !mei) throw new Error('two people at least');
  for (const line of ['## Demo on Friday', 'Everyone shows one thing that works.', '[ ] Room booked', 'Slides in one place', '']) {
    await ada.page.type(line);
    await ada.page.press('Enter');
  }
  await mei.reads('notes-text', 'Slides');
  await pause(500);
  await mei.page.press('Control+Home');
  await mei.page.press('ArrowDown');
  await mei.page.press('End');
  await pause(500);
  await ada.page.type('Mei brings the camera');
  await mei.page.type(' Five minutes each.');
  await ada.reads('notes-state', 'All changes saved');
  await ada.reads('notes-caret', 'Mei');
  await ada.sees('Mei', 'any');
  await pause(1000);
  await ada.page.screenshot(`${pictures}/notes.png`);
});
