import type { ParticipantView, RoomSnapshot } from '@turnout/client';
import { type ReactElement, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import { grid } from './layout.js';
import css from './Stage.module.css';
import { Tile } from './Tile.js';

const gap = 12;

/** Everyone's tiles; a shared screen is large and the people stand beside it. */
export function Stage({ snapshot, alone }: { snapshot: RoomSnapshot; alone: ReactNode }): ReactElement {
  const everyone = [...snapshot.participants, snapshot.local];
  const screens = everyone.filter((p) => p.publications.some((publication) => publication.source === 'screen'));
  const [first, ...others] = screens;
  if (first) {
    return (
      <div className={css['presentation']}>
        <Tile participant={first} source="screen" />
        <div className={css['strip']}>
          {others.map((p) => (
            <Tile key={`${p.sid} screen`} participant={p} source="screen" />
          ))}
          {everyone.map((p) => (
            <Tile key={p.sid} participant={p} source="camera" />
          ))}
        </div>
      </div>
    );
  }
  return <People everyone={everyone} alone={everyone.length === 1 ? alone : undefined} />;
}

function People({ everyone, alone }: { everyone: readonly ParticipantView[]; alone: ReactNode }): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = (): void => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const places = everyone.length + (alone ? 1 : 0);
  const { columns, width, height } = grid(places, size.width, size.height, gap);
  const place = { width, height };
  return (
    <div ref={box} className={css['people']}>
      <div className={css['grid']} style={{ maxWidth: columns * (width + gap) }}>
        {everyone.map((p) => (
          <Tile key={p.sid} participant={p} source="camera" style={place} />
        ))}
        {alone && (
          <div className={css['alone']} style={place}>
            {alone}
          </div>
        )}
      </div>
    </div>
  );
}
