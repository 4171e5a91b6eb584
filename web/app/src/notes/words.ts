// Where the notes are, in words that are true.
import type { NotesState } from './session.js';

export interface NotesWords {
  tone: 'fine' | 'busy' | 'trouble';
  text: string;
}

export function wordsForNotes(state: NotesState): NotesWords {
  const { status, everSynced, unsynced, readOnly, kept, refused } = state;
  const here = kept ? 'kept on this device' : 'lost when this page is closed';
  if (refused && refused.code !== 'doc.readOnly') return { tone: 'trouble', text: forRefusal(refused.code, unsynced, here) };
  if (readOnly) {
    if (unsynced > 0) return { tone: 'trouble', text: `You may only read. ${what(unsynced)} not shared, and ${here}` };
    return { tone: 'fine', text: 'You may read the notes, and not change them' };
  }
  if (status !== 'connected') {
    return everSynced || unsynced > 0
      ? { tone: 'trouble', text: `Offline: changes are ${here}` }
      : { tone: 'busy', text: 'Opening the notes…' };
  }
  if (unsynced > 0) return { tone: 'busy', text: unsynced === 1 ? '1 unsynced change' : `${unsynced} unsynced changes` };
  return { tone: 'fine', text: 'All changes saved' };
}

function forRefusal(code: string, unsynced: number, here: string): string {
  switch (code) {
    case 'data.forbidden':
      return 'Your invitation does not include the notes';
    case 'data.unsupported':
      return 'This server keeps no notes';
    case 'doc.limit':
      return `The notes are full. ${what(unsynced)} not shared, and ${here}`;
    default:
      return `${what(Math.max(1, unsynced))} not accepted by the server, and ${here}`;
  }
}

function what(changes: number): string {
  return changes === 1 ? '1 change is' : `${changes} changes are`;
}
