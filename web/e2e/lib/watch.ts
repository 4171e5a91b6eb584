// Whether somebody's call is disturbed while other things happen.
import { expect } from 'vitest';
import { pause } from './server.js';
import type { Participant } from './participant.js';

interface Watched {
  /** Leaves that the page was told of. */
  left: number;
  /** When frames of the other's camera came, and when the watch ended, in ms. */
  frames: number[];
}

declare global {
  interface Window {
    watched: Watched;
  }
}

export interface Watch {
  /** Fails when a picture has stood still. */
  withoutGap(): Promise<void>;
  /** The same, and when anybody was told of a leave. */
  undisturbed(): Promise<void>;
}

/** Each watches the camera of another. */
export async function watching(...pairs: [who: Participant, other: string][]): Promise<Watch> {
  for (const [who, other] of pairs) await who.page.evaluate(begin, other);
  const check = async (leaves: boolean): Promise<void> => {
    await pause(500); // what has just happened shows
    for (const [who] of pairs) {
      const { left, frames } = await who.page.evaluate(end, null);
      if (leaves) expect(left, `leaves seen by ${who.name}`).toBe(0);
      expect(frames.length, `frames seen by ${who.name}`).toBeGreaterThan(15);
      expect(longestGap(frames), `longest gap of ${who.name}, ms`).toBeLessThan(1500);
    }
  };
  return { withoutGap: () => check(false), undisturbed: () => check(true) };
}

const longestGap = (frames: number[]): number => Math.max(...frames.slice(1).map((at, i) => at - (frames[i] ?? at)));

// The functions below run in the page.

function begin(name: string): void {
  const watched: Watched = { left: 0, frames: [] };
  window.watched = watched;
  window.turnout.room.on('participantDisconnected', () => watched.left++);
  const video = [...document.querySelectorAll('[data-testid="tile"]')]
    .find((e) => e.getAttribute('data-name') === name)
    ?.querySelector('video');
  const note = (): void => {
    watched.frames.push(performance.now());
    video?.requestVideoFrameCallback(note);
  };
  video?.requestVideoFrameCallback(note);
}

function end(): Watched {
  const { left, frames } = window.watched;
  return { left, frames: [...frames, performance.now()] };
}
