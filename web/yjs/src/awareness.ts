// Who is here, and where: y-protocols' awareness over the room.
import { type Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness';

interface Changed {
  added: number[];
  updated: number[];
  removed: number[];
}

// A caret moves with every key; others see it thirty times a second.
const gatherMs = 33;

export class AwarenessLink {
  readonly awareness: Awareness;
  readonly #origin: unknown;
  readonly #send: (update: Uint8Array) => void;
  #gathering: ReturnType<typeof setTimeout> | undefined;

  constructor(awareness: Awareness, origin: unknown, send: (update: Uint8Array) => void) {
    this.awareness = awareness;
    this.#origin = origin;
    this.#send = send;
    awareness.on('update', this.#changed);
  }

  /** The server has just been asked who is here: whoever it does not tell is gone. */
  announce(): void {
    this.forget();
    this.#tell();
  }

  received(update: Uint8Array): void {
    try {
      applyAwarenessUpdate(this.awareness, update, this.#origin);
    } catch {
      // another program's idea of awareness; the next renewal may be better
    }
  }

  /** Forgets the others. With their clocks: the same state, told again, counts. */
  forget(): void {
    const { awareness } = this;
    const others = [...awareness.getStates().keys()].filter((id) => id !== awareness.clientID);
    removeAwarenessStates(awareness, others, this.#origin);
    for (const id of others) awareness.meta.delete(id);
  }

  destroy(): void {
    clearTimeout(this.#gathering);
    this.awareness.off('update', this.#changed);
    this.forget();
  }

  /** Only one's own state is sent: the server gives the others'. It is sent again when the server believed it gone. */
  readonly #changed = ({ added, updated, removed }: Changed): void => {
    if (![...added, ...updated, ...removed].includes(this.awareness.clientID)) return;
    this.#gathering ??= setTimeout(() => this.#tell(), gatherMs);
  };

  #tell(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (this.awareness.meta.has(this.awareness.clientID)) this.#send(encodeAwarenessUpdate(this.awareness, [this.awareness.clientID]));
  }
}
