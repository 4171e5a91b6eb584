// When to try again.

/** How long to wait between attempts to get back into the room. */
export interface Backoff {
  /** The first wait, doubled with each attempt. */
  readonly baseMs: number;
  readonly maxMs: number;
  readonly maxAttempts: number;
}

// The first attempts fall within the grace period of a session; then it is a server that starts again or a train in a tunnel.
export const usualBackoff: Backoff = { baseMs: 300, maxMs: 10_000, maxAttempts: 30 };

/**
 * The wait before an attempt (0, 1, …) in ms, or undefined when enough were made. The first one is made at once.
 * random is in [0, 1); half of the wait is jitter, so that a room does not come back as one flood.
 */
export function waitBefore(attempt: number, random: number, backoff: Backoff = usualBackoff): number | undefined {
  if (attempt >= backoff.maxAttempts) return undefined;
  if (attempt === 0) return 0;
  const full = Math.min(backoff.maxMs, backoff.baseMs * 2 ** (attempt - 1));
  return full / 2 + (full / 2) * random;
}
