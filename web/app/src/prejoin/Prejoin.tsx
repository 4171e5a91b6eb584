import type { TurnoutError } from '@turnout/client';
import { LoaderCircle, LogIn, Mic, MicOff, Video, VideoOff } from 'lucide-react';
import { type ReactElement, type SyntheticEvent, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { recall } from '../storage.js';
import { nameIn } from '../token.js';
import { Avatar } from '../ui/Avatar.js';
import { Button, IconButton } from '../ui/Button.js';
import { SelectField, TextField } from '../ui/Field.js';
import { Header } from '../ui/Header.js';
import { Notice } from '../ui/Notice.js';
import { useAttached } from '../ui/useAttached.js';
import { type Words, wordsFor } from '../words.js';
import { LevelBars } from './LevelBars.js';
import css from './Prejoin.module.css';
import type { Preview, PreviewState } from './preview.js';

export interface PrejoinProps {
  room: string;
  invitation: string | undefined;
  preview: Preview;
  joining: boolean;
  error: TurnoutError | undefined;
  onJoin: (name: string) => void;
}

export function Prejoin({ room, invitation, preview, joining, error, onJoin }: PrejoinProps): ReactElement {
  const state = useSyncExternalStore(preview.subscribe, preview.getSnapshot);
  const [name, setName] = useState(() => recall('name') ?? (invitation && nameIn(invitation)) ?? '');
  const trimmed = name.trim();
  const button = useRef<HTMLButtonElement>(null);
  // Who has a name already only has to press Enter; without one the field has the focus.
  useEffect(() => button.current?.focus({ preventScroll: true }), []);
  const note = trouble(state);
  useEffect(() => {
    const changed = (): void => void preview.refreshDevices();
    const media = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
    media?.addEventListener('devicechange', changed);
    return () => media?.removeEventListener('devicechange', changed);
  }, [preview]);

  function join(event: SyntheticEvent): void {
    event.preventDefault();
    if (trimmed && !joining) onJoin(trimmed);
  }

  return (
    <div className={css['page']}>
      <Header />
      <main className={css['main']}>
        <PreviewCard preview={preview} state={state} name={trimmed} />
        <form className={css['form']} onSubmit={join}>
          <div>
            <p className={css['room']}>{room}</p>
            <h1>Ready to join?</h1>
          </div>
          {error && <Notice kind="error" words={wordsFor(error)} />}
          <TextField
            label="Your name"
            data-testid="name-input"
            placeholder="What others will see"
            value={name}
            maxLength={64}
            required
            autoComplete="nickname"
            autoFocus={name === ''}
            onChange={(e) => setName(e.target.value)}
          />
          <div className={css['devices']}>
            <DeviceField preview={preview} state={state} kind="microphone" />
            <DeviceField preview={preview} state={state} kind="camera" />
          </div>
          <Button
            look="primary"
            type="submit"
            data-testid="join"
            ref={button}
            className={css['join']}
            disabled={joining || !trimmed}
            icon={joining ? <LoaderCircle className={css['turning']} /> : <LogIn />}
          >
            {joining ? 'Joining…' : 'Join call'}
          </Button>
          {/* Below the button: it comes and goes by itself, and what somebody is about to click must not move. */}
          {note && <Notice kind="note" words={note} />}
        </form>
      </main>
    </div>
  );
}

function PreviewCard({ preview, state, name }: { preview: Preview; state: PreviewState; name: string }): ReactElement {
  const { camera, microphone } = state;
  const video = useAttached(camera.track, camera.track?.media);
  return (
    <section className={css['preview']} aria-label="Preview">
      <div className={css['picture']}>
        {camera.track ? (
          <video ref={video} data-testid="preview-video" />
        ) : (
          <div className={css['dark']}>
            <Avatar name={name} identity={name} />
            <p>{camera.asking ? 'Starting the camera…' : camera.error ? 'No camera' : 'Your camera is off'}</p>
          </div>
        )}
        <div className={css['level']}>
          <LevelBars media={microphone.track?.media} />
        </div>
        <div className={css['toggles']}>
          <IconButton
            label={microphone.wanted ? 'Turn the microphone off' : 'Turn the microphone on'}
            data-testid="preview-mic"
            look={microphone.wanted && !microphone.error ? 'round' : 'off'}
            icon={microphone.wanted && !microphone.error ? <Mic /> : <MicOff />}
            onClick={() => void preview.toggle('microphone')}
          />
          <IconButton
            label={camera.wanted ? 'Turn the camera off' : 'Turn the camera on'}
            data-testid="preview-camera"
            look={camera.wanted && !camera.error ? 'round' : 'off'}
            icon={camera.wanted && !camera.error ? <Video /> : <VideoOff />}
            onClick={() => void preview.toggle('camera')}
          />
        </div>
      </div>
    </section>
  );
}

function DeviceField({ preview, state, kind }: { preview: Preview; state: PreviewState; kind: 'camera' | 'microphone' }): ReactElement {
  const choices = state.devices
    .filter((d) => d.kind === (kind === 'camera' ? 'videoinput' : 'audioinput') && d.label !== '')
    .map((d) => ({ id: d.deviceId, label: d.label }));
  return (
    <SelectField
      label={kind === 'camera' ? 'Camera' : 'Microphone'}
      data-testid={`${kind}-select`}
      choices={choices}
      value={state[kind].track?.media.getSettings().deviceId ?? recall(`${kind}Id`) ?? choices[0]?.id}
      empty={state[kind].asking ? 'Waiting for permission…' : `No ${kind} to choose`}
      onPick={(id) => void preview.pick(kind, id)}
    />
  );
}

/** What is missing, and that one can go on without it. */
function trouble({ camera, microphone }: PreviewState): Words | undefined {
  const [c, m] = [camera.error, microphone.error];
  if (!c && !m)
    return camera.asking && microphone.asking
      ? { title: 'Your browser asks for camera and microphone', text: 'You can also join without them.' }
      : undefined;
  const what = c && m ? 'Camera and microphone' : c ? 'Camera' : 'Microphone';
  const still =
    c && m ? 'You can still join, watch, listen and chat.' : c ? 'You can still join and talk.' : 'You can still join, watch and chat.';
  const denied = (c ?? m)?.code === 'media.denied';
  const inUse = (c ?? m)?.code === 'media.inUse';
  const are = c && m ? 'are' : 'is';
  if (denied)
    return { title: `${what} ${are} not allowed`, text: `${still} To allow ${c && m ? 'them' : 'it'}, use the button in the address bar.` };
  if (inUse) return { title: `${what} ${are} in use by another program`, text: `${still} Or close that program and turn it on here.` };
  return { title: `${what} not found`, text: still };
}
