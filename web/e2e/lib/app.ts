// What the app shows of itself to a script in its page.
import type { Room } from '@turnout/client';

declare global {
  interface Window {
    turnout: { room: Room };
  }
}

export {};
