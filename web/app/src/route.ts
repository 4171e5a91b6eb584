import { useSyncExternalStore } from 'react';

/** The room in a path /r/{room}; nothing for the lobby. */
export function roomIn(path: string): string | undefined {
  const [, room] = /^\/r\/([^/]+)\/?$/.exec(path) ?? [];
  if (room === undefined) return undefined;
  try {
    return decodeURIComponent(room);
  } catch {
    return undefined;
  }
}

export function pathOf(room: string): string {
  return `/r/${encodeURIComponent(room)}`;
}

/** A room name out of what a person typed: spaces are awkward in a link. Empty when there is none. */
export function roomName(typed: string): string {
  return typed
    .trim()
    .replace(/[\s/]+/g, '-')
    .slice(0, 64);
}

/** The room of a pasted link, or the name as it was typed. */
export function roomFrom(typed: string): string {
  try {
    return roomIn(new URL(typed).pathname) ?? roomName(typed);
  } catch {
    return roomName(typed);
  }
}

const moved = new EventTarget();

export function go(path: string): void {
  window.history.pushState(null, '', path);
  moved.dispatchEvent(new Event('move'));
}

function subscribe(f: () => void): () => void {
  const stop = new AbortController();
  window.addEventListener('popstate', f, stop);
  window.addEventListener('hashchange', f, stop);
  moved.addEventListener('move', f, stop);
  return () => stop.abort();
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname);
}

/** The fragment. It changes without a new page when somebody opens another invitation to the same room in this window. */
export function useHash(): string {
  return useSyncExternalStore(subscribe, () => window.location.hash);
}

const first = [
  'amber',
  'brisk',
  'calm',
  'clear',
  'early',
  'gentle',
  'golden',
  'green',
  'hidden',
  'light',
  'lucky',
  'quick',
  'quiet',
  'silver',
  'sunny',
  'swift',
];
const second = [
  'anchor',
  'bridge',
  'canyon',
  'cedar',
  'comet',
  'ferry',
  'garden',
  'harbor',
  'lantern',
  'maple',
  'meadow',
  'orchard',
  'otter',
  'river',
  'signal',
  'summit',
];

/** A name that can be said on the phone and is hard to guess: 16 · 16 · 9000 of them. */
export function newRoom(): string {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint16Array(3));
  return `${first[a % first.length]}-${second[b % second.length]}-${1000 + (c % 9000)}`;
}
