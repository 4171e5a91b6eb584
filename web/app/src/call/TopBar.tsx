import type { RoomSnapshot } from '@turnout/client';
import { LoaderCircle } from 'lucide-react';
import type { ReactElement } from 'react';
import { Mark } from '../ui/Brand.js';
import css from './TopBar.module.css';

/** The room's name, and how the connection is when that is worth saying. */
export function TopBar({ snapshot }: { snapshot: RoomSnapshot }): ReactElement {
  const trouble = troubleOf(snapshot);
  return (
    <header className={css['bar']}>
      <div className={css['room']}>
        <Mark size={24} />
        <h1>{snapshot.name}</h1>
      </div>
      <div
        className={[css['state'], trouble ? css['trouble'] : css['fine']].join(' ')}
        role="status"
        data-testid="connection-state"
        data-state={snapshot.state}
        data-media={snapshot.transports.media}
      >
        {trouble && <LoaderCircle aria-hidden="true" />}
        <span className={trouble ? undefined : 'hidden-text'}>{trouble ?? 'Connected'}</span>
      </div>
    </header>
  );
}

function troubleOf({ state, transports, drainingUntil }: RoomSnapshot): string | undefined {
  // While media is up, others are seen and heard: how long, nobody knows.
  if (state === 'reconnecting') return transports.media === 'up' ? 'Reconnecting…' : 'Connection lost, reconnecting…';
  if (transports.media === 'down') return 'Picture and sound are interrupted, mending…';
  if (transports.media === 'connecting') return 'Connecting picture and sound…';
  if (drainingUntil !== undefined) return 'The server restarts soon, you will be brought back';
  return undefined;
}
