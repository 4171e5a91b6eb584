import type { ReactElement } from 'react';
import css from './Tracks.module.css';

const people = [
  { y: 92, hue: 18 },
  { y: 230, hue: 162 },
  { y: 368, hue: 228 },
];

/** One line comes in, and a switch leads it to everyone. */
export function Tracks(): ReactElement {
  return (
    <svg className={css['tracks']} viewBox="0 0 520 460" aria-hidden="true">
      <g className={css['sleepers']}>
        {[28, 60, 92, 124].map((x) => (
          <path key={x} d={`M${x} 216v28`} />
        ))}
      </g>
      <g className={css['rails']}>
        <path d="M0 230h150C250 230 230 92 330 92" />
        <path d="M0 230h330" />
        <path d="M0 230h150C250 230 230 368 330 368" />
      </g>
      <circle className={css['switch']} cx="158" cy="230" r="9" />
      {people.map(({ y, hue }, i) => (
        <g key={y} transform={`translate(330 ${y - 56})`} className={css['tile']} style={{ '--hue': hue, '--i': i } as React.CSSProperties}>
          <rect className={css['card']} width="176" height="112" rx="18" />
          <circle className={css['head']} cx="88" cy="46" r="18" />
          <path className={css['body']} d="M52 112c0-26 16-40 36-40s36 14 36 40z" />
          <rect className={css['name']} x="14" y="88" width={[44, 58, 36][i]} height="10" rx="5" />
        </g>
      ))}
      <g className={css['travellers']}>
        <circle r="5">
          <animateMotion dur="3.6s" repeatCount="indefinite" path="M0 230h150C250 230 230 92 330 92" />
        </circle>
        <circle r="5">
          <animateMotion dur="3.6s" begin="-1.2s" repeatCount="indefinite" path="M0 230h330" />
        </circle>
        <circle r="5">
          <animateMotion dur="3.6s" begin="-2.4s" repeatCount="indefinite" path="M0 230h150C250 230 230 368 330 368" />
        </circle>
      </g>
    </svg>
  );
}
