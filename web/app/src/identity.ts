import { recall, remember } from './storage.js';

let mine: string | undefined;

/**
 * The identity of this tab. It survives a reload but not a copy of the tab, which would throw the first one out:
 * so it lies in the storage only while the page is away.
 */
export function identity(): string {
  if (mine !== undefined) return mine;
  mine = recall('identity', window.sessionStorage) ?? random();
  remember('identity', undefined, window.sessionStorage);
  window.addEventListener('pagehide', () => remember('identity', mine, window.sessionStorage));
  return mine;
}

function random(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return `web-${[...bytes].map((b) => (b % 36).toString(36)).join('')}`;
}
