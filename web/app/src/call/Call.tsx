import type { Room } from '@turnout/client';
import { Volume2, X } from 'lucide-react';
import { type ReactElement, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { recall } from '../storage.js';
import { Button, IconButton } from '../ui/Button.js';
import { Notice } from '../ui/Notice.js';
import { Announcer } from './Announcer.js';
import css from './Call.module.css';
import { ChatPanel } from './ChatPanel.js';
import { ControlBar } from './ControlBar.js';
import { DevicesPanel } from './DevicesPanel.js';
import { Invite } from './Invite.js';
import { PeoplePanel } from './PeoplePanel.js';
import { RoomAudio } from './RoomAudio.js';
import { Stage } from './Stage.js';
import { TopBar } from './TopBar.js';
import { useControls } from './useControls.js';
import { useRoom } from './useRoom.js';
import { useShortcuts } from './useShortcuts.js';
import { useToasts } from './useToasts.js';

export type Panel = 'chat' | 'people' | 'devices';

/** A call that goes on. shareable: whether this page's address lets others in. */
export function Call({ room, shareable }: { room: Room; shareable: boolean }): ReactElement {
  const snapshot = useRoom(room);
  const toasts = useToasts();
  const controls = useControls(room, toasts.failed);
  const [panel, setPanel] = useState<Panel>();
  const messages = useSyncExternalStore(
    (f) => room.chat.subscribe(f),
    () => room.chat.messages,
  );
  const unread = useUnread(messages, panel === 'chat');
  /** What had the focus when a panel was opened, and gets it back. */
  const opener = useRef<Element>(null);
  const toggle = (wanted: Panel): void => {
    if (panel === undefined) opener.current = document.activeElement;
    if (panel === wanted) close();
    else setPanel(wanted);
  };
  const close = (): void => {
    setPanel(undefined);
    if (opener.current instanceof HTMLElement) opener.current.focus();
  };

  useEffect(() => {
    const stops = [room.on('error', toasts.failed), room.on('deviceError', toasts.failed)];
    return () => stops.forEach((stop) => stop());
  }, [room, toasts.failed]);
  useEffect(() => {
    const speaker = recall('speakerId');
    if (speaker) void room.switchDevice('audiooutput', speaker).catch(() => undefined); // it is not there any more
  }, [room]);
  useShortcuts({
    m: controls.microphone.toggle,
    v: controls.camera.toggle,
    c: () => toggle('chat'),
    p: () => toggle('people'),
    escape: close,
  });

  return (
    <div className={css['call']}>
      <TopBar snapshot={snapshot} />
      <div className={css['middle']}>
        <main className={css['stage']}>
          {!snapshot.canPlayAudio && (
            <div className={css['blocked']}>
              <Button look="primary" data-testid="start-audio" icon={<Volume2 />} onClick={() => void room.startAudio()}>
                Turn the sound on
              </Button>
            </div>
          )}
          <Stage snapshot={snapshot} alone={<Invite shareable={shareable} />} />
        </main>
        {panel && (
          <aside className={css['panel']} aria-label={titles[panel]}>
            <header className={css['head']}>
              <h2>{titles[panel]}</h2>
              <IconButton look="bare" label="Close" icon={<X />} onClick={close} />
            </header>
            {panel === 'chat' && <ChatPanel room={room} messages={messages} canSend={snapshot.permissions.data} onFailed={toasts.failed} />}
            {panel === 'people' && <PeoplePanel room={room} snapshot={snapshot} shareable={shareable} onFailed={toasts.failed} />}
            {panel === 'devices' && <DevicesPanel room={room} snapshot={snapshot} onFailed={toasts.failed} />}
          </aside>
        )}
      </div>
      <ControlBar
        controls={controls}
        panel={panel}
        unread={unread}
        people={snapshot.participants.length + 1}
        shareable={shareable}
        onPanel={toggle}
        onLeave={() => void room.disconnect()}
      />
      {toasts.words && (
        <div className={css['toast']}>
          <Notice
            kind="error"
            words={toasts.words}
            action={<IconButton look="bare" label="Dismiss" icon={<X />} onClick={toasts.dismiss} />}
          />
        </div>
      )}
      <RoomAudio participants={snapshot.participants} />
      <Announcer room={room} />
    </div>
  );
}

const titles: Record<Panel, string> = { chat: 'Chat', people: 'People', devices: 'Devices and connection' };

/** How many messages of others have come since the chat was open. */
function useUnread(messages: Room['chat']['messages'], open: boolean): number {
  const last = messages.at(-1)?.id ?? 0;
  const [seen, setSeen] = useState(last);
  if (open && seen !== last) setSeen(last);
  return messages.filter((m) => m.id > seen && !m.isLocal).length;
}
