import { Room } from '@turnout/client';
import axe from 'axe-core';
import 'fake-indexeddb/auto';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { applyUpdate, encodeStateAsUpdate } from 'yjs';
import Notes from '../src/notes/Notes.js';
import { NotesSession, type NotesState } from '../src/notes/session.js';
import { wordsForNotes } from '../src/notes/words.js';

const state: NotesState = { status: 'connected', everSynced: true, unsynced: 0, readOnly: false, kept: true, refused: undefined };

describe('what is said about the notes', () => {
  test.each<[Partial<NotesState>, string, string]>([
    [{}, 'fine', 'All changes saved'],
    [{ unsynced: 1 }, 'busy', '1 unsynced change'],
    [{ unsynced: 3 }, 'busy', '3 unsynced changes'],
    [{ status: 'connecting', everSynced: false }, 'busy', 'Opening the notes…'],
    [{ status: 'connecting' }, 'trouble', 'Offline: changes are kept on this device'],
    [{ status: 'connecting', unsynced: 2 }, 'trouble', 'Offline: changes are kept on this device'],
    [{ status: 'disconnected', kept: false }, 'trouble', 'Offline: changes are lost when this page is closed'],
    [{ readOnly: true }, 'fine', 'You may read the notes, and not change them'],
    [
      { readOnly: true, unsynced: 2, refused: { code: 'doc.readOnly' } },
      'trouble',
      'You may only read. 2 changes are not shared, and kept on this device',
    ],
    [{ unsynced: 1, refused: { code: 'doc.limit' } }, 'trouble', 'The notes are full. 1 change is not shared, and kept on this device'],
    [{ status: 'connecting', refused: { code: 'data.forbidden' } }, 'trouble', 'Your invitation does not include the notes'],
    [{ status: 'connecting', refused: { code: 'data.unsupported' } }, 'trouble', 'This server keeps no notes'],
    [{ unsynced: 4, refused: { code: 'doc.malformed' } }, 'trouble', '4 changes are not accepted by the server, and kept on this device'],
  ])('%o', (change, tone, text) => {
    expect(wordsForNotes({ ...state, ...change })).toEqual({ tone, text });
  });
});

describe('the notes', () => {
  let box: HTMLElement;
  let root: Root;
  beforeEach(() => {
    document.body.innerHTML = '<main></main>';
    box = document.body.firstElementChild as HTMLElement;
    root = createRoot(box);
  });
  afterEach(() => root.unmount());

  test('are an editor that says what it is, with a name for each of its tools', async () => {
    root.render(<Notes room={new Room({ url: 'https://example.org' })} hidden={false} />);
    await vi.waitFor(() => expect(box.querySelector('[data-testid="notes-text"]')?.getAttribute('contenteditable')).toBe('true'));
    await vi.waitFor(() => expect(box.querySelector('button')).not.toBeNull());
    expect(box.querySelector('[data-testid="notes-state"]')?.textContent).toBe('Opening the notes…');
    const { violations } = await axe.run(box, { rules: { 'color-contrast': { enabled: false }, region: { enabled: false } } });
    expect(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join()}`)).toEqual([]);
  });

  test('are kept in the browser, and there again with the next page', async () => {
    const room = new Room({ url: 'https://example.org' });
    const first = new NotesSession(room);
    const stop = first.subscribe(() => undefined);
    await vi.waitFor(() => expect(first.getSnapshot().kept).toBe(true));
    first.doc.getText('t').insert(0, 'remember');
    expect(first.getSnapshot()).toMatchObject({ unsynced: 1, status: 'disconnected' });
    stop();
    const second = new NotesSession(room);
    second.subscribe(() => undefined);
    await vi.waitFor(() => expect(second.doc.getText('t').toJSON()).toBe('remember'));
    applyUpdate(second.doc, encodeStateAsUpdate(first.doc));
    expect(second.doc.getText('t').toJSON()).toBe('remember');
  });
});
