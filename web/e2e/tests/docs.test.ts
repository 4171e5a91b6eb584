import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openTabs, type Page } from '../lib/browser.js';
import { type NAT, wan } from '../lib/nat.js';
import { buildPages } from '../lib/pages.js';
import { eventually, type Participant } from '../lib/participant.js';
import { internetOfFile, looks, opened, serving } from '../lib/scene.js';
import type { Kind } from '../pages/docs.js';

const internet = internetOfFile();
const server = serving({ host: wan });

interface Writer extends Participant {
  namespace: string;
}

/** Somebody in a room, with the notes open. */
async function writer(name: string, nat: NAT, fragment = ''): Promise<Writer> {
  const host = internet.host(nat, server.url);
  const participant = await opened(name, looks.Ada, { bare: true, host });
  await takeNotes(participant, fragment);
  return Object.assign(participant, { namespace: host.namespace });
}

async function takeNotes(p: Participant, fragment = ''): Promise<void> {
  await p.join(server.url, 'notes', fragment);
  await p.page.click('notes-toggle');
}

/** Types at the end of the notes, on a line of its own. */
async function write(p: Participant, text: string): Promise<void> {
  await p.page.click('notes-text');
  await p.page.press('Control+End');
  await p.page.type(text);
  await p.page.press('Enter');
}

const notesOf = (p: Participant): Promise<string> =>
  p.page.evaluate(() => {
    const copy = document.querySelector('[data-testid="notes-text"]')?.cloneNode(true) as Element | undefined;
    copy?.querySelectorAll('[data-testid="notes-caret"]').forEach((caret) => caret.remove());
    return [...(copy?.children ?? [])].map((line) => line.textContent).join('\n');
  }, null);

/** Waits until all have the same notes, with these words in them, and all is saved. */
async function agree(people: Participant[], words: string[], ms = 20_000): Promise<void> {
  await eventually(`the same notes with ${words.join()}`, ms, async () => {
    const [first = '', ...rest] = await Promise.all(people.map(notesOf));
    if (rest.some((other) => other !== first)) return `different: ${JSON.stringify([first, ...rest])}`;
    return words.every((w) => first.split(w).length === 2) ? true : `notes are ${JSON.stringify(first)}`;
  });
  for (const p of people) await p.reads('notes-state', 'All changes saved', ms);
}

const dataOf = (p: Participant): Promise<string> => p.page.evaluate(() => window.turnout.room.transports.data, null);

describe('shared notes', () => {
  test('of two, through losses, through the closing of a page, where only the web gets through, and for a reader', async () => {
    const ada = await writer('Ada', 'cone');
    const bob = await writer('Bob', 'cone');
    await agree([ada, bob], []);
    await write(ada, 'one from Ada');
    await bob.reads('notes-caret', 'Ada');
    await write(bob, 'two from Bob');
    await ada.reads('notes-caret', 'Bob');
    await agree([ada, bob], ['one from Ada', 'two from Bob']);
    expect(await dataOf(ada)).toBe('up');

    internet.cut(ada.namespace);
    await write(ada, 'three offline');
    await write(bob, 'four meanwhile');
    await ada.reads('notes-state', 'Offline: changes are kept on this device');
    internet.mend(ada.namespace);
    await agree([ada, bob], ['three offline', 'four meanwhile'], 30_000);
    await eventually('data on the data channel again', 30_000, async () => {
      const data = await dataOf(ada);
      return data === 'up' ? true : data;
    });

    internet.cut(ada.namespace);
    await write(ada, 'five in a tunnel');
    await ada.reads('notes-state', 'Offline');
    await ada.page.goto('about:blank');
    internet.mend(ada.namespace);
    await write(bob, 'six meanwhile');
    await takeNotes(ada);
    await agree([ada, bob], ['five in a tunnel', 'six meanwhile'], 30_000);

    const eve = await writer('Eve', 'webOnly');
    await agree([ada, bob, eve], ['one from Ada']);
    expect(await dataOf(eve)).toBe('fallback');
    await write(eve, 'seven by WebSocket');
    await write(ada, 'eight by data channel');
    await agree([ada, bob, eve], ['seven by WebSocket', 'eight by data channel']);
    await bob.reads('notes-caret', 'Eve');

    await server.kill();
    await write(bob, 'nine without a server');
    await server.start();
    await agree([ada, bob, eve], ['one from Ada', 'nine without a server'], 40_000);

    await eve.page.click('leave');
    await eve.close();
    const ron = await writer('Ron', 'cone', `#token=${server.mint('notes', 'ron', '--topic', 'doc:*=r')}`);
    await ron.reads('notes-state', 'You may read the notes, and not change them');
    expect(await notesOf(ron)).toContain('nine without a server');
    const editable = await ron.page.evaluate(
      () => document.querySelector('[data-testid="notes-text"]')?.getAttribute('contenteditable'),
      null,
    );
    expect(editable).toBe('false');
  });
});

describe('one document', () => {
  let pages = '';
  beforeAll(async () => {
    pages = await buildPages();
  });
  afterAll(() => rmSync(pages, { recursive: true, force: true }));

  test('is edited by a stock y-websocket page, a Hocuspocus page and an SDK page', async () => {
    const browser = await openTabs({ colour: 'red', hz: 440, bare: true, pages });
    onTestFinished(() => browser.close());
    const kinds: Kind[] = ['y-websocket', 'hocuspocus', 'sdk'];
    const tabs: { kind: Kind; page: Page }[] = [];
    for (const kind of kinds) {
      const page = await browser.tab();
      await page.goto(`${server.url}/pages/docs.html`);
      await page.evaluate((k) => window.page.open(k, 'mixed', 'plan'), kind);
      tabs.push({ kind, page });
    }
    for (const { kind, page } of tabs) await page.evaluate((k) => window.page.insert(`[${k}]`), kind);
    await eventually('the same text everywhere', 20_000, async () => {
      const texts = await Promise.all(tabs.map(({ page }) => page.evaluate(() => window.page.text(), null)));
      const same = texts.every((t) => t === texts[0]);
      return same && kinds.every((k) => texts[0]?.includes(`[${k}]`)) ? true : JSON.stringify(texts);
    });
    await eventually('everyone sees everyone', 20_000, async () => {
      const present = await Promise.all(tabs.map(({ page }) => page.evaluate(() => window.page.present().join(), null)));
      return present.every((names) => names === [...kinds].sort().join()) ? true : JSON.stringify(present);
    });
    await eventually('all is on disk', 10_000, async () => {
      const unsynced = await Promise.all(tabs.map(({ page }) => page.evaluate(() => window.page.unsynced() ?? 0, null)));
      return unsynced.every((n) => n === 0) ? true : JSON.stringify(unsynced);
    });
    for (const { page } of tabs) expect(await page.evaluate(() => window.page.connections(), null)).toBe(0);
  });
});
