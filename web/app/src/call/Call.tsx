import type { Room } from '@turnout/client';
import { Volume2, X } from 'lucide-react';
import { lazy, type ReactElement, Suspense, useEffect, useRef, useState, useSyncExternalStore } from 'react';
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

// The editor is larger than all the rest.
const Notes = lazy(() => import('../notes/Notes.js'));

export type Panel = 'chat' | 'people' | 'devices' | 'notes';

/** A call that goes on. shareable: whether this page's address lets others in. */
export function Call({ room, shareable }: { room: Room; shareable: boolean }): ReactElement {
  const snapshot = useRoom(room);
  const toasts = useToasts();
  const controls = useControls(room, toasts.failed);
  const [panel, setPanel] = useState<Panel>();
  /** Once opened, the notes go on until the end of the call, seen or not. */
  const [notes, setNotes] = useState(false);
  if (panel === 'notes' && !notes) setNotes(true);
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
    n: () => toggle('notes'),
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
        {notes && (
          <aside className={[css['panel'], css['wide']].join(' ')} aria-label={titles.notes} hidden={panel !== 'notes'}>
            <Head title={titles.notes} onClose={close} />
            <Suspense fallback={<p className={css['loading']}>Opening the notes…</p>}>
              <Notes room={room} hidden={panel !== 'notes'} />
            </Suspense>
          </aside>
        )}
        {panel && panel !== 'notes' && (
          <aside key={panel} ref={enter} tabIndex={-1} className={css['panel']} aria-label={titles[panel]}>
            <Head title={titles[panel]} onClose={close} />
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

/** A panel that was opened has the focus, or what is in it. */
function enter(panel: HTMLElement | null): void {
  panel?.focus({ preventScroll: true });
}

const titles: Record<Panel, string> = { chat: 'Chat', people: 'People', devices: 'Devices and connection', notes: 'Notes' };

function Head({ title, onClose }: { title: string; onClose: () => void }): ReactElement {
  return (
    <header className={css['head']}>
      <h2>{title}</h2>
      <IconButton look="bare" label="Close" icon={<X />} onClick={onClose} />
    </header>
  );
}

/** How many messages of others have come since the chat was open. */
function useUnread(messages: Room['chat']['messages'], open: boolean): number {
  const last = messages.at(-1)?.id ?? 0;
  const [seen, setSeen] = useState(last);
  if (open && seen !== last) setSeen(last);
  return messages.filter((m) => m.id > seen && !m.isLocal).length;
}
