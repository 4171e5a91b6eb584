import type { ParticipantView, Room, RoomSnapshot } from '@turnout/client';
import { Check, Link, Mic, MicOff, OctagonX, UserX } from 'lucide-react';
import type { ReactElement } from 'react';
import { Avatar } from '../ui/Avatar.js';
import { Button, IconButton } from '../ui/Button.js';
import { useCopied } from './Invite.js';
import css from './PeoplePanel.module.css';

export interface PeoplePanelProps {
  room: Room;
  snapshot: RoomSnapshot;
  shareable: boolean;
  onFailed: (thrown: unknown) => void;
}

export function PeoplePanel({ room, snapshot, shareable, onFailed }: PeoplePanelProps): ReactElement {
  const { copied, copy } = useCopied();
  return (
    <>
      <ul className={css['list']}>
        {[snapshot.local, ...snapshot.participants].map((p) => (
          <Person key={p.sid} person={p} room={room} admin={snapshot.permissions.admin} onFailed={onFailed} />
        ))}
      </ul>
      <div className={css['foot']}>
        {shareable && (
          <Button icon={copied ? <Check /> : <Link />} onClick={copy}>
            {copied ? 'Link copied' : 'Copy the link to invite'}
          </Button>
        )}
        {snapshot.permissions.admin && (
          <Button
            icon={<OctagonX />}
            onClick={() => {
              if (window.confirm('End the call for everyone?')) void room.moderation.end().catch(onFailed);
            }}
          >
            End the call for everyone
          </Button>
        )}
      </div>
    </>
  );
}

function Person({
  person,
  room,
  admin,
  onFailed,
}: {
  person: ParticipantView;
  room: Room;
  admin: boolean;
  onFailed: (thrown: unknown) => void;
}): ReactElement {
  const microphone = person.publications.find((p) => p.source === 'microphone');
  const audible = microphone !== undefined && !microphone.muted;
  const over = admin && !person.isLocal;
  return (
    <li className={css['person']} data-testid="person" data-identity={person.identity}>
      <Avatar name={person.name} identity={person.identity} size="small" />
      <span className={css['name']}>
        {person.name}
        {person.isLocal && <span className={css['you']}> (you)</span>}
      </span>
      {over && audible ? (
        <IconButton
          look="bare"
          label={`Mute ${person.name}`}
          icon={<Mic />}
          onClick={() => void room.moderation.mute(person.identity, 'microphone').catch(onFailed)}
        />
      ) : (
        <span className={[css['mic'], person.isSpeaking ? css['speaking'] : ''].join(' ')}>
          {audible ? <Mic aria-label="Microphone on" /> : <MicOff aria-label="Microphone off" />}
        </span>
      )}
      {over && (
        <IconButton
          look="bare"
          label={`Remove ${person.name} from the call`}
          icon={<UserX />}
          onClick={() => {
            if (window.confirm(`Remove ${person.name} from the call?`)) void room.moderation.kick(person.identity).catch(onFailed);
          }}
        />
      )}
    </li>
  );
}
