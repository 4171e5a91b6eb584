import axe from 'axe-core';
import { act, type ReactElement } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { App } from '../src/App.js';

// happy-dom has no media: what a browser without devices says.
const media = {
  getUserMedia: vi.fn((): Promise<MediaStream> => Promise.reject(new DOMException('none', 'NotFoundError'))),
  enumerateDevices: vi.fn(() => Promise.resolve([])),
  addEventListener: vi.fn(),
  removeEventListener: vi.fn(),
};

let root: Root;
let box: HTMLElement;

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  Object.defineProperty(navigator, 'mediaDevices', { value: media, configurable: true });
  localStorage.clear();
  document.documentElement.lang = 'en';
  document.title = 'turnout';
  box = document.body.appendChild(document.createElement('div'));
  root = createRoot(box);
});
afterEach(() => {
  act(() => root.unmount());
  box.remove();
  vi.unstubAllGlobals();
});

async function show(element: ReactElement): Promise<void> {
  await act(async () => {
    root.render(element);
    await Promise.resolve();
  });
}

/** Lets the page go on until what is looked for holds. */
async function until(holds: () => unknown): Promise<void> {
  for (const end = Date.now() + 20_000; ;) {
    try {
      holds();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await act(() => new Promise((done) => setTimeout(done, 5)));
  }
}

function find(testid: string): HTMLElement {
  const element = box.querySelector<HTMLElement>(`[data-testid="${testid}"]`);
  if (!element) throw new Error(`no ${testid} in ${box.innerHTML}`);
  return element;
}

async function type(testid: string, text: string): Promise<void> {
  const input = find(testid);
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(input, text);
    input.dispatchEvent(new Event('input', { bubbles: true }));
    await Promise.resolve();
  });
}

async function press(testid: string): Promise<void> {
  await act(async () => {
    find(testid).click();
    await Promise.resolve();
  });
}

/** What an automatic look finds wrong; colours need a real browser. */
async function accessible(): Promise<void> {
  const { violations } = await axe.run(box, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } });
  expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join()}`)).toEqual([]);
}

async function app(path: string): Promise<void> {
  window.history.pushState(null, '', path);
  await show(<App />);
}

describe('the lobby', () => {
  test('leads to the room that was typed', async () => {
    await app('/');
    await accessible();
    expect(find('enter')).toHaveProperty('disabled', true);
    await type('room-input', 'Team standup');
    await press('enter');
    expect(window.location.pathname).toBe('/r/Team-standup');
    await until(() => find('name-input'));
  });

  test('says so to whom a wrong address has led there', async () => {
    for (const path of ['/r/', '/r/a/b', '/r/%ff', '/nowhere']) {
      await app(path);
      expect(find('note').textContent).toContain('leads nowhere');
    }
    await accessible();
    await app('/');
    expect(box.querySelector('[data-testid="note"]')).toBeNull();
  });

  test('remembers the last room', async () => {
    localStorage.setItem('turnout.rooms', '["standup"]');
    await app('/');
    expect(find('room-input')).toHaveProperty('value', 'standup');
  });
});

describe('before a call', () => {
  test('without devices one is told so, and can go on', async () => {
    await app('/r/standup');
    await until(() => expect(find('note').textContent).toContain('You can still join'));
    await accessible();
    expect(find('join')).toHaveProperty('disabled', true);
    await type('name-input', 'Ada');
    expect(find('join')).toHaveProperty('disabled', false);
  });

  test('without permission one is told how to give it', async () => {
    media.getUserMedia.mockImplementation(() => Promise.reject(new DOMException('no', 'NotAllowedError')));
    await app('/r/standup');
    await until(() => expect(find('note').textContent).toContain('not allowed'));
    expect(find('note').textContent).toContain('address bar');
  });

  test('another invitation to the same room, opened in the same window, is the one that counts', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('404 page not found', { status: 404 })));
    await app('/r/standup');
    await type('name-input', 'Ada');
    await press('join');
    await until(() => find('error'));
    await act(async () => {
      window.location.hash = '#token=a.b.c';
      window.dispatchEvent(new Event('hashchange'));
      await Promise.resolve();
    });
    expect(box.querySelector('[data-testid="error"]')).toBeNull();
  });

  test('a room whose name is too long is said to be so, in plain words', async () => {
    await app(`/r/${'é'.repeat(65)}`);
    await type('name-input', 'Ada');
    await press('join');
    await until(() => expect(find('error').textContent).toContain('The name of this room is too long'));
  });

  test('who has given a name before only has to press Enter', async () => {
    localStorage.setItem('turnout.name', 'Ada');
    await app('/r/standup');
    expect(document.activeElement).toBe(find('join'));
  });

  test('a server that gives no tokens asks for an invitation', async () => {
    vi.stubGlobal(
      'fetch',
      vi.fn(() => Promise.resolve(new Response('404 page not found', { status: 404 }))),
    );
    await app('/r/standup');
    await type('name-input', 'Ada');
    await press('join');
    await until(() => expect(find('error').textContent).toContain('invitation'));
    await accessible();
  });
});
