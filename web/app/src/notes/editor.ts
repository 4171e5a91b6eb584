// The editor of the notes: rich text on a Yjs document, with the carets of others.
import { Editor } from '@tiptap/core';
import { Blockquote } from '@tiptap/extension-blockquote';
import { Bold } from '@tiptap/extension-bold';
import { Code } from '@tiptap/extension-code';
import { Collaboration } from '@tiptap/extension-collaboration';
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret';
import { Document } from '@tiptap/extension-document';
import { HardBreak } from '@tiptap/extension-hard-break';
import { Heading } from '@tiptap/extension-heading';
import { Italic } from '@tiptap/extension-italic';
import { BulletList, ListItem, ListKeymap, OrderedList, TaskItem, TaskList } from '@tiptap/extension-list';
import { Paragraph } from '@tiptap/extension-paragraph';
import { Strike } from '@tiptap/extension-strike';
import { Text } from '@tiptap/extension-text';
import { Placeholder } from '@tiptap/extensions/placeholder';
import css from './Notes.module.css';
import type { NotesSession } from './session.js';

export interface Me {
  name: string;
  /** 0–359. */
  hue: number;
}

// Names come from others' pages.
const longestName = 40;

export function createEditor(element: HTMLElement, session: NotesSession, me: Me): Editor {
  const { doc, provider } = session;
  return new Editor({
    element,
    injectCSS: false, // the page allows no style but its own
    editorProps: { attributes: { role: 'textbox', 'aria-multiline': 'true', 'aria-label': 'Shared notes', 'data-testid': 'notes-text' } },
    extensions: [
      ...[Document, Paragraph, Text, Bold, Italic, Strike, Code, Blockquote, HardBreak],
      Heading.configure({ levels: [1, 2, 3] }),
      ...[BulletList, OrderedList, ListItem, ListKeymap, TaskList],
      TaskItem.configure({ nested: true }),
      Placeholder.configure({ placeholder: 'Write down what matters. Everyone in the call sees it, and it is here next time.' }),
      Collaboration.configure({ document: doc, field: 'notes' }),
      CollaborationCaret.configure({ provider, user: me, render: caret, selectionRender: selection }),
    ],
  });
}

function caret(user: Record<string, unknown>): HTMLElement {
  const at = document.createElement('span');
  at.className = css['caret'] ?? '';
  at.style.setProperty('--hue', hueOf(user));
  at.dataset['testid'] = 'notes-caret';
  const name = document.createElement('span');
  name.textContent = typeof user['name'] === 'string' ? user['name'].slice(0, longestName) : '';
  at.append(name);
  return at;
}

function selection(user: Record<string, unknown>): Record<string, string> {
  return { class: css['selection'] ?? '', style: `--hue: ${hueOf(user)}` };
}

function hueOf(user: Record<string, unknown>): string {
  const { hue } = user;
  return String(typeof hue === 'number' && Number.isFinite(hue) ? Math.round(hue) % 360 : 0);
}
