import { Info, TriangleAlert } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import type { Words } from '../words.js';
import css from './Notice.module.css';

/** Something a person should know. An error is spoken at once, a note when there is time. */
export function Notice({ words, kind, action }: { words: Words; kind: 'error' | 'note'; action?: ReactNode }): ReactElement {
  return (
    <div
      className={[css['notice'], css[kind]].join(' ')}
      role={kind === 'error' ? 'alert' : 'status'}
      data-testid={kind === 'error' ? 'error' : 'note'}
    >
      {kind === 'error' ? <TriangleAlert aria-hidden="true" /> : <Info aria-hidden="true" />}
      <div>
        <strong>{words.title}</strong>
        {words.text && <p>{words.text}</p>}
      </div>
      {action}
    </div>
  );
}
