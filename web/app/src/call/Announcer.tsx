import type { Room } from '@turnout/client';
import { type ReactElement, useEffect, useState } from 'react';

/** Tells those who do not see the screen what happens in the call. */
export function Announcer({ room }: { room: Room }): ReactElement {
  const [text, setText] = useState(`You are in ${room.name}`);
  useEffect(() => {
    const stops = [
      room.on('participantConnected', (p) => setText(`${p.name} joined`)),
      room.on('participantDisconnected', (p) => setText(`${p.name} left`)),
      room.on('trackPublished', (publication, p) => {
        if (publication.source === 'screen') setText(`${p.name} shares a screen`);
      }),
      room.on('trackMuted', (publication, p) => {
        if (p.isLocal) setText(publication.source === 'camera' ? 'Your camera is off' : 'Your microphone is off');
      }),
      room.on('trackUnmuted', (publication, p) => {
        if (p.isLocal) setText(publication.source === 'camera' ? 'Your camera is on' : 'Your microphone is on');
      }),
      room.on('reconnecting', () => setText('Connection lost, reconnecting')),
      room.on('reconnected', () => setText('Connected again')),
      room.chat.subscribe(() => {
        const last = room.chat.messages.at(-1);
        if (last && !last.isLocal) setText(`${last.name} says: ${last.text}`);
      }),
    ];
    return () => stops.forEach((stop) => stop());
  }, [room]);
  return (
    <div className="hidden-text" role="status" aria-live="polite" data-testid="announcer">
      {text}
    </div>
  );
}
