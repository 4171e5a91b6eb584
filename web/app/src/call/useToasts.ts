import { TurnoutError } from '@turnout/client';
import { useCallback, useEffect, useState } from 'react';
import { type Words, wordsFor } from '../words.js';

const shownMs = 7000;

export interface Toasts {
  words: Words | undefined;
  /** Shows what went wrong. What a person stopped is nothing wrong. */
  failed: (thrown: unknown) => void;
  dismiss: () => void;
}

export function useToasts(): Toasts {
  const [words, setWords] = useState<Words>();
  useEffect(() => {
    if (!words) return undefined;
    const timer = setTimeout(() => setWords(undefined), shownMs);
    return () => clearTimeout(timer);
  }, [words]);
  const failed = useCallback((thrown: unknown) => {
    if (thrown instanceof TurnoutError && thrown.code === 'aborted') return;
    setWords(thrown instanceof TurnoutError ? wordsFor(thrown) : { title: 'Something went wrong', text: String(thrown) });
  }, []);
  return { words, failed, dismiss: useCallback(() => setWords(undefined), []) };
}
