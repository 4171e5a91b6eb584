// Notices a connection on which nothing is heard any more.

// How long a server may take to answer a ping that a change of network gave rise to.
const probeMs = 3000;

export class Heartbeat {
  readonly #ping: () => void;
  readonly #dead: () => void;
  #heardAt = 0;
  #beating: ReturnType<typeof setInterval> | undefined;
  #probing: ReturnType<typeof setTimeout> | undefined;

  constructor(ping: () => void, dead: () => void) {
    this.#ping = ping;
    this.#dead = dead;
  }

  start({ intervalMs, timeoutMs }: { intervalMs: number; timeoutMs: number }): void {
    this.stop();
    this.#heardAt = Date.now();
    this.#beating = setInterval(() => {
      if (Date.now() - this.#heardAt > timeoutMs) this.#dead();
      else this.#ping();
    }, intervalMs);
  }

  stop(): void {
    clearInterval(this.#beating);
    clearTimeout(this.#probing);
  }

  heard(): void {
    this.#heardAt = Date.now();
  }

  /** Asks now, and does not wait long. */
  probe(): void {
    const asked = Date.now();
    this.#ping();
    clearTimeout(this.#probing);
    this.#probing = setTimeout(() => {
      if (this.#heardAt < asked) this.#dead();
    }, probeMs);
  }
}
