import { type DisconnectReason, Room, TurnoutError } from '@turnout/client';
import { type ReactElement, useEffect, useRef, useState } from 'react';
import { Call } from './call/Call.js';
import { Left } from './left/Left.js';
import { Prejoin } from './prejoin/Prejoin.js';
import { Preview } from './prejoin/preview.js';
import { useHash } from './route.js';
import { remember, rememberRoom } from './storage.js';
import { fetchToken, invitation } from './token.js';

declare global {
  interface Window {
    /** For support: the room of this page, from the console. */
    turnout?: { room: Room };
  }
}

type Stage =
  // The error is of a join with that invitation.
  | { at: 'prejoin'; joining: boolean; error?: TurnoutError; invited?: string | undefined }
  | { at: 'call'; room: Room }
  | { at: 'left'; reason: DisconnectReason; error: TurnoutError | undefined };

/** Before, during and after a call in one room. */
export function RoomPage({ room: name }: { room: string }): ReactElement {
  const [stage, setStage] = useState<Stage>({ at: 'prejoin', joining: false });
  const invited = invitation(useHash());
  const [preview] = useState(() => new Preview());
  useEffect(() => {
    if (stage.at === 'prejoin') preview.start();
  }, [preview, stage.at]);
  /** The call that is being joined or goes on. */
  const call = useRef<{ room: Room; stop: AbortController }>(undefined);
  useEffect(
    () => () => {
      preview.stop();
      call.current?.stop.abort();
      void call.current?.room.disconnect();
    },
    [preview],
  );
  useEffect(() => {
    document.title = stage.at === 'call' ? `${name} · in call` : `${name} · turnout`;
    return () => void (document.title = 'turnout');
  }, [name, stage.at]);

  async function join(displayName: string): Promise<void> {
    setStage({ at: 'prejoin', joining: true });
    remember('name', displayName);
    const room = new Room({ url: window.location.origin, token: invited ?? (() => fetchToken(name, displayName)) });
    const stop = new AbortController();
    call.current = { room, stop };
    try {
      await room.connect(stop.signal);
    } catch (error) {
      return setStage({ at: 'prejoin', joining: false, error: asError(error), invited });
    }
    rememberRoom(name);
    window.turnout = { room };
    room.on('disconnected', (reason, error) => setStage({ at: 'left', reason, error }));
    // A name in the invitation gives way to the one that was typed.
    if (room.local.name !== displayName) void room.local.setName(displayName).catch(() => undefined);
    if (room.local.permissions.publish) preview.handOver((track) => void room.local.publish(track).catch(() => track.stop()));
    else preview.stop();
    setStage({ at: 'call', room });
  }

  switch (stage.at) {
    case 'prejoin':
      return (
        <Prejoin
          room={name}
          invitation={invited}
          preview={preview}
          joining={stage.joining}
          error={stage.invited === invited ? stage.error : undefined}
          onJoin={(displayName) => void join(displayName)}
        />
      );
    case 'call':
      return <Call room={stage.room} shareable={invited === undefined} />;
    case 'left':
      return <Left room={name} reason={stage.reason} error={stage.error} onRejoin={() => setStage({ at: 'prejoin', joining: false })} />;
    default:
      stage satisfies never;
      return <></>;
  }
}

function asError(thrown: unknown): TurnoutError {
  return thrown instanceof TurnoutError ? thrown : new TurnoutError('server.internal', String(thrown), { retryable: true });
}
