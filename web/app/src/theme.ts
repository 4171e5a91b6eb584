import { useSyncExternalStore } from 'react';
import { recall, remember } from './storage.js';

export type Theme = 'light' | 'dark';

const listeners = new Set<() => void>();
const system = window.matchMedia('(prefers-color-scheme: dark)');

function current(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return system.matches ? 'dark' : 'light';
}

function tell(): void {
  for (const f of listeners) f();
}

/** Takes over the theme that was chosen before; the system's is followed otherwise. */
export function startTheme(): void {
  const chosen = recall('theme');
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset['theme'] = chosen;
  system.addEventListener('change', tell);
}

export function toggleTheme(): void {
  const theme = current() === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = theme;
  remember('theme', theme);
  tell();
}

export function useTheme(): Theme {
  return useSyncExternalStore((f) => {
    listeners.add(f);
    return () => void listeners.delete(f);
  }, current);
}
