import type { ReactElement } from 'react';
import { go } from '../route.js';
import css from './Brand.module.css';

/** The switch that leads a train onto another track. */
export function Mark({ size = 28 }: { size?: number }): ReactElement {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" className={css['ground']} />
      <g fill="none" className={css['track']} strokeWidth="3.2" strokeLinecap="round">
        <path d="M7 21h18" />
        <path d="M7 21c8 0 8-10 18-10" />
      </g>
    </svg>
  );
}

export function Brand(): ReactElement {
  return (
    <a
      href="/"
      className={css['brand']}
      onClick={(event) => {
        event.preventDefault();
        go('/');
      }}
    >
      <Mark />
      <span>turnout</span>
    </a>
  );
}
