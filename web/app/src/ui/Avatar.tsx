import { User } from 'lucide-react';
import type { ReactElement } from 'react';
import css from './Avatar.module.css';

/** The initials of who is not seen, on a colour that stays the same. */
export function Avatar({ name, identity, size = 'large' }: { name: string; identity: string; size?: 'large' | 'small' }): ReactElement {
  return (
    <div className={[css['avatar'], css[size]].join(' ')} style={{ '--hue': hue(identity) } as React.CSSProperties} aria-hidden="true">
      {name ? initials(name) : <User />}
    </div>
  );
}

export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const first = Array.from(words[0] ?? '')[0] ?? '?';
  const last = words.length > 1 ? (Array.from(words.at(-1) ?? '')[0] ?? '') : '';
  return (first + last).toUpperCase();
}

/** 0–359, spread over the circle by the golden angle, so that similar identities do not look alike. */
export function hue(identity: string): number {
  let hash = 0;
  for (const letter of identity) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 65_521;
  return Math.round(hash * 137.508) % 360;
}
