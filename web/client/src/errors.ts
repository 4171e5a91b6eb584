// Errors that a person can act on.
import type { ErrorInfo } from './protocol.js';

/** Codes of the server (docs/reference/signaling.md, Error codes) and those that arise in the browser. */
export type ErrorCode =
  | 'auth.missing'
  | 'auth.invalid'
  | 'auth.expired'
  | 'auth.forbidden'
  | 'room.full'
  | 'server.full'
  | 'identity.taken'
  | 'session.gone'
  | 'protocol.malformed'
  | 'protocol.unsupported'
  | 'rate.limited'
  | 'media.badOffer'
  | 'media.limit'
  | 'media.failed'
  | 'media.denied'
  | 'media.notFound'
  | 'media.inUse'
  | 'media.overconstrained'
  | 'media.lost'
  | 'publication.notFound'
  | 'participant.notFound'
  | 'server.draining'
  | 'server.internal'
  | 'net.unreachable'
  | 'net.timeout'
  | 'data.tooLarge'
  | 'data.backpressure'
  | 'data.forbidden'
  | 'data.lost'
  | 'state.notConnected'
  | 'aborted'
  | (string & {});

export interface ErrorOptions {
  retryable?: boolean;
  hint?: string | undefined;
  cause?: unknown;
}

export class TurnoutError extends Error {
  override readonly name = 'TurnoutError';
  readonly code: ErrorCode;
  /** Whether the same may succeed later without a change. */
  readonly retryable: boolean;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }

  /** @internal */
  static of(info: ErrorInfo): TurnoutError {
    return new TurnoutError(info.code, info.message, { retryable: info.retryable, hint: info.hint });
  }
}

export function aborted(signal: AbortSignal): TurnoutError {
  return new TurnoutError('aborted', 'stopped by the caller', { cause: signal.reason });
}

export const notConnected = (): TurnoutError =>
  new TurnoutError('state.notConnected', 'the room is not connected', { hint: 'wait for room.connect()', retryable: true });

/** Any thrown value as a TurnoutError. */
export function asTurnoutError(thrown: unknown, code: ErrorCode = 'server.internal'): TurnoutError {
  if (thrown instanceof TurnoutError) return thrown;
  return new TurnoutError(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown, retryable: true });
}
