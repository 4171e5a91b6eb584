import {
  Check,
  Link,
  MessageSquare,
  Mic,
  MicOff,
  MonitorUp,
  MonitorX,
  NotebookPen,
  PhoneOff,
  Settings2,
  Users,
  Video,
  VideoOff,
} from 'lucide-react';
import type { ReactElement } from 'react';
import { IconButton } from '../ui/Button.js';
import type { Panel } from './Call.js';
import css from './ControlBar.module.css';
import { useCopied } from './Invite.js';
import type { Controls } from './useControls.js';

export interface ControlBarProps {
  controls: Controls;
  panel: Panel | undefined;
  unread: number;
  people: number;
  shareable: boolean;
  onPanel: (panel: Panel) => void;
  onLeave: () => void;
}

export function ControlBar({ controls, panel, unread, people, shareable, onPanel, onLeave }: ControlBarProps): ReactElement {
  const { microphone, camera, screen } = controls;
  const { copied, copy } = useCopied();
  return (
    <footer className={css['bar']}>
      <div className={css['side']}>
        {shareable && (
          <IconButton
            label={copied ? 'Link copied' : 'Copy the link to this room'}
            data-testid="copy-link"
            className={css['invite']}
            icon={copied ? <Check /> : <Link />}
            onClick={copy}
          />
        )}
        <IconButton
          label="Devices and connection"
          data-testid="devices-toggle"
          aria-expanded={panel === 'devices'}
          look={panel === 'devices' ? 'active' : 'round'}
          icon={<Settings2 />}
          onClick={() => onPanel('devices')}
        />
      </div>
      <div className={css['main']}>
        {!microphone.possible && !camera.possible && <p className={css['watching']}>You are here to watch and listen</p>}
        {microphone.possible && (
          <IconButton
            label={microphone.on ? 'Turn the microphone off' : 'Turn the microphone on'}
            shortcut="m"
            data-testid="mic-toggle"
            aria-busy={microphone.busy}
            look={microphone.on ? 'round' : 'off'}
            icon={microphone.on ? <Mic /> : <MicOff />}
            onClick={microphone.toggle}
          />
        )}
        {camera.possible && (
          <IconButton
            label={camera.on ? 'Turn the camera off' : 'Turn the camera on'}
            shortcut="v"
            data-testid="camera-toggle"
            aria-busy={camera.busy}
            look={camera.on ? 'round' : 'off'}
            icon={camera.on ? <Video /> : <VideoOff />}
            onClick={camera.toggle}
          />
        )}
        {screen.possible && (
          <IconButton
            label={screen.on ? 'Stop sharing your screen' : 'Share your screen'}
            data-testid="screen-toggle"
            className={css['wide']}
            aria-busy={screen.busy}
            look={screen.on ? 'active' : 'round'}
            icon={screen.on ? <MonitorX /> : <MonitorUp />}
            onClick={screen.toggle}
          />
        )}
        <IconButton label="Leave the call" data-testid="leave" look="danger" icon={<PhoneOff />} onClick={onLeave} />
      </div>
      <div className={css['side']}>
        <IconButton
          label={`People, ${people} here`}
          shortcut="p"
          data-testid="people-toggle"
          aria-expanded={panel === 'people'}
          look={panel === 'people' ? 'active' : 'round'}
          icon={<Users />}
          onClick={() => onPanel('people')}
        >
          <span className={css['count']} data-testid="participant-count">
            {people}
          </span>
        </IconButton>
        <IconButton
          label="Notes"
          shortcut="n"
          data-testid="notes-toggle"
          aria-expanded={panel === 'notes'}
          look={panel === 'notes' ? 'active' : 'round'}
          icon={<NotebookPen />}
          onClick={() => onPanel('notes')}
        />
        <IconButton
          label={unread > 0 ? `Chat, ${unread} unread` : 'Chat'}
          shortcut="c"
          data-testid="chat-toggle"
          aria-expanded={panel === 'chat'}
          look={panel === 'chat' ? 'active' : 'round'}
          icon={<MessageSquare />}
          onClick={() => onPanel('chat')}
        >
          {unread > 0 && (
            <span className={css['unread']} data-testid="unread">
              {Math.min(unread, 99)}
            </span>
          )}
        </IconButton>
      </div>
    </footer>
  );
}
