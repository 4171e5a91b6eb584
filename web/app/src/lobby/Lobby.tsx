import { ArrowRight, Clock, Plus } from 'lucide-react';
import { type ReactElement, type SyntheticEvent, useState } from 'react';
import { go, newRoom, pathOf, roomFrom } from '../route.js';
import { rooms } from '../storage.js';
import { Button } from '../ui/Button.js';
import { TextField } from '../ui/Field.js';
import { Header } from '../ui/Header.js';
import { Notice } from '../ui/Notice.js';
import css from './Lobby.module.css';
import { Tracks } from './Tracks.js';

/** lost: the address that led here is none of a room. */
export function Lobby({ lost }: { lost: boolean }): ReactElement {
  const [recent] = useState(rooms);
  const [typed, setTyped] = useState(recent[0] ?? '');
  const room = roomFrom(typed);

  function enter(event: SyntheticEvent): void {
    event.preventDefault();
    if (room) go(pathOf(room));
  }

  return (
    <div className={css['page']}>
      <Header />
      <main className={css['main']}>
        <section className={css['words']}>
          <h1>Meet in a room of your own.</h1>
          <p className={css['lead']}>Video, voice and chat in the browser, from your own server. Nothing to install, no account.</p>
          {lost && (
            <div className={css['lost']}>
              <Notice
                kind="note"
                words={{
                  title: 'This address leads nowhere',
                  text: 'Check the link, or choose a room here. The address of a room is /r/ and its name.',
                }}
              />
            </div>
          )}
          <form className={css['form']} onSubmit={enter}>
            <TextField
              label="Room"
              data-testid="room-input"
              placeholder="A room name, or a link"
              value={typed}
              maxLength={2048}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              onChange={(e) => setTyped(e.target.value)}
            />
            <Button look="primary" type="submit" data-testid="enter" disabled={!room} icon={<ArrowRight />}>
              Enter room
            </Button>
          </form>
          <div className={css['or']}>
            <Button icon={<Plus />} data-testid="new-room" onClick={() => go(pathOf(newRoom()))}>
              New room
            </Button>
            <span>with a name nobody guesses</span>
          </div>
          {recent.length > 0 && (
            <nav className={css['recent']} aria-label="Rooms you were in">
              <Clock aria-hidden="true" />
              {recent.map((name) => (
                <a
                  key={name}
                  href={pathOf(name)}
                  onClick={(event) => {
                    event.preventDefault();
                    go(pathOf(name));
                  }}
                >
                  {name}
                </a>
              ))}
            </nav>
          )}
        </section>
        <Tracks />
      </main>
    </div>
  );
}
