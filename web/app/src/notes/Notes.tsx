// The panel with the shared notes. It is loaded when it is opened for the first time.
import type { Room } from '@turnout/client';
import type { Editor } from '@tiptap/core';
import { type ReactElement, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { hue } from '../ui/Avatar.js';
import { createEditor } from './editor.js';
import css from './Notes.module.css';
import { NotesSession } from './session.js';
import { Toolbar } from './Toolbar.js';
import { wordsForNotes } from './words.js';

/** hidden: it goes on without being seen. */
export default function Notes({ room, hidden }: { room: Room; hidden: boolean }): ReactElement {
  const [session] = useState(() => new NotesSession(room));
  const state = useSyncExternalStore(session.subscribe, session.getSnapshot);
  const [editor, setEditor] = useState<Editor>();
  const place = useRef<HTMLDivElement>(null);
  const closed = state.refused?.code === 'data.forbidden' || state.refused?.code === 'data.unsupported';
  const editable = !state.readOnly && !closed;
  useEffect(() => {
    if (!place.current) return;
    const own = createEditor(place.current, session, { name: room.local.name, hue: hue(room.local.identity) });
    setEditor(own);
    return () => own.destroy();
  }, [session, room]);
  useEffect(() => {
    editor?.setEditable(editable, false);
  }, [editor, editable]);
  useEffect(() => {
    if (editor && !hidden) editor.commands.focus();
  }, [editor, hidden]);

  const { tone, text } = wordsForNotes(state);
  return (
    <>
      {editor && editable && <Toolbar editor={editor} />}
      <div className={css['page']} ref={place} hidden={closed} />
      <p className={css['state']} role="status" data-tone={tone} data-testid="notes-state">
        {text}
      </p>
    </>
  );
}
