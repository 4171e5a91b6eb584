import { type Room, TurnoutError } from '@turnout/client';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ChatPanel } from '../src/call/ChatPanel.js';

let root: Root;
let box: HTMLElement;

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
  box = document.body.appendChild(document.createElement('div'));
  root = createRoot(box);
});
afterEach(() => {
  act(() => root.unmount());
  box.remove();
  vi.unstubAllGlobals();
});

test('what could not be sent is in the field again, unless something else was begun', async () => {
  const lost: ((error: TurnoutError) => void)[] = [];
  const said: string[] = [];
  const chat = {
    send: (text: string) => {
      said.push(text);
      return new Promise<void>((_, fail) => lost.push(fail));
    },
  };
  const failed = vi.fn();
  await act(async () => {
    root.render(<ChatPanel room={{ chat } as unknown as Room} messages={[]} canSend onFailed={failed} />);
    await Promise.resolve();
  });
  const field = box.querySelector('textarea');
  if (!field) throw new Error('no field');
  const type = (text: string): void =>
    act(() => {
      Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')?.set?.call(field, text);
      field.dispatchEvent(new Event('input', { bubbles: true }));
    });
  const enter = (): void => act(() => void field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })));
  const lose = (): Promise<void> =>
    act(async () => {
      lost.pop()?.(new TurnoutError('data.lost', 'the connection was lost before the server had the message'));
      await Promise.resolve();
    });

  type('hello');
  enter();
  expect(field.value).toBe('');
  await lose();
  expect(field.value).toBe('hello');
  enter();
  type('and another');
  await lose();
  expect(field.value).toBe('and another');
  expect(said).toEqual(['hello', 'hello']);
  expect(failed).toHaveBeenCalledTimes(2);
});
