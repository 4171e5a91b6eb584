import type { DisconnectReason, TurnoutError } from '@turnout/client';
import { House, RotateCcw } from 'lucide-react';
import { type ReactElement, useEffect, useRef } from 'react';
import { go } from '../route.js';
import { Button } from '../ui/Button.js';
import { Header } from '../ui/Header.js';
import { wordsForEnd } from '../words.js';
import css from './Left.module.css';

export interface LeftProps {
  room: string;
  reason: DisconnectReason;
  error: TurnoutError | undefined;
  onRejoin: () => void;
}

export function Left({ room, reason, error, onRejoin }: LeftProps): ReactElement {
  const words = wordsForEnd(reason, error);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <div className={css['page']}>
      <Header />
      <main className={css['main']} data-testid="connection-state" data-state="disconnected" data-reason={reason}>
        <p className={css['room']}>{room}</p>
        <h1 ref={heading} tabIndex={-1} data-testid={reason === 'client' ? undefined : 'error'}>
          {words.title}
        </h1>
        {words.text && <p className={css['text']}>{words.text}</p>}
        <div className={css['actions']}>
          <Button look="primary" data-testid="rejoin" icon={<RotateCcw />} onClick={onRejoin}>
            Join again
          </Button>
          <Button icon={<House />} data-testid="home" onClick={() => go('/')}>
            Back to the start
          </Button>
        </div>
      </main>
    </div>
  );
}
