import type { Editor } from '@tiptap/core';
import { Bold, Heading2, Italic, List, ListOrdered, ListTodo, Redo2, Strikethrough, Undo2 } from 'lucide-react';
import { type ReactElement, type ReactNode, useEffect, useReducer } from 'react';
import css from './Notes.module.css';

interface Tool {
  label: string;
  icon: ReactNode;
  /** What it makes, when that can be on or off. */
  mark?: string;
  run: (editor: Editor) => void;
}

const tools: Tool[] = [
  { label: 'Heading', icon: <Heading2 />, mark: 'heading', run: (e) => e.chain().focus().toggleHeading({ level: 2 }).run() },
  { label: 'Bold', icon: <Bold />, mark: 'bold', run: (e) => e.chain().focus().toggleBold().run() },
  { label: 'Italic', icon: <Italic />, mark: 'italic', run: (e) => e.chain().focus().toggleItalic().run() },
  { label: 'Strike through', icon: <Strikethrough />, mark: 'strike', run: (e) => e.chain().focus().toggleStrike().run() },
  { label: 'List', icon: <List />, mark: 'bulletList', run: (e) => e.chain().focus().toggleBulletList().run() },
  { label: 'Numbered list', icon: <ListOrdered />, mark: 'orderedList', run: (e) => e.chain().focus().toggleOrderedList().run() },
  { label: 'Tasks', icon: <ListTodo />, mark: 'taskList', run: (e) => e.chain().focus().toggleTaskList().run() },
  { label: 'Undo', icon: <Undo2 />, run: (e) => e.chain().focus().undo().run() },
  { label: 'Redo', icon: <Redo2 />, run: (e) => e.chain().focus().redo().run() },
];

export function Toolbar({ editor }: { editor: Editor }): ReactElement {
  const [, render] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const changed = (): void => render();
    editor.on('transaction', changed);
    return () => void editor.off('transaction', changed);
  }, [editor]);
  return (
    <div className={css['tools']} role="group" aria-label="Formatting">
      {tools.map(({ label, icon, mark, run }) => (
        <button
          key={label}
          type="button"
          aria-label={label}
          title={label}
          aria-pressed={mark === undefined ? undefined : editor.isActive(mark)}
          onClick={() => run(editor)}
        >
          {icon}
        </button>
      ))}
    </div>
  );
}
