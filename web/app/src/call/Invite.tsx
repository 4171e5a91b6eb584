import { Check, Link } from 'lucide-react';
import { type ReactElement, useEffect, useState } from 'react';
import { Button } from '../ui/Button.js';
import css from './Invite.module.css';

const shownMs = 2000;

/** Copies the address of the room, without anybody's invitation. */
export function useCopied(): { copied: boolean; copy: () => void } {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), shownMs);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = (): void => {
    const link = window.location.origin + window.location.pathname;
    // Not there without https.
    const { clipboard } = navigator as { clipboard?: Clipboard };
    void (clipboard?.writeText(link) ?? Promise.reject(new Error('no clipboard'))).then(
      () => setCopied(true),
      () => window.prompt('Copy this link', link),
    );
  };
  return { copied, copy };
}

/** Shown to who is alone. */
export function Invite({ shareable }: { shareable: boolean }): ReactElement {
  const { copied, copy } = useCopied();
  return (
    <div className={css['invite']} data-testid="alone">
      <h2>You are the first one here</h2>
      {shareable ? (
        <>
          <p>Send the link of this room to whoever should join.</p>
          <Button look="primary" icon={copied ? <Check /> : <Link />} onClick={copy}>
            {copied ? 'Link copied' : 'Copy link'}
          </Button>
        </>
      ) : (
        <p>Others join with an invitation of their own.</p>
      )}
    </div>
  );
}
