// What a lost WebSocket means: docs/reference/signaling.md §6.
import { type ErrorCode, TurnoutError } from './errors.js';
import type { ErrorInfo } from './protocol.js';

/** Why the room is disconnected. */
export type DisconnectReason =
  | 'client'
  | 'kicked'
  | 'roomEnded'
  | 'duplicateIdentity'
  | 'tokenExpired'
  | 'serverShutdown'
  | 'joinRejected'
  | 'networkLost'
  | 'protocol'
  | 'flood';

/** What to do after a WebSocket was closed. */
export type Next =
  /** Go on with the session. */
  | { kind: 'resume' }
  /** Join anew, after the wait of at least so many attempts. */
  | { kind: 'rejoin'; attempts: number }
  | { kind: 'end'; reason: DisconnectReason; error?: TurnoutError };

export interface Closed {
  code: number;
  /** The server's last words, when it had any. */
  disconnect?: { reason: string; message: string; retryable: boolean } | undefined;
  error?: ErrorInfo | undefined;
  /** Whether another token can be had by asking for it. */
  newToken: boolean;
}

export function afterClose(closed: Closed): Next {
  const { code, disconnect, error } = closed;
  switch (code) {
    case 1000:
      return { kind: 'end', reason: 'client' };
    case 1001:
    case 4005:
      return { kind: 'rejoin', attempts: 0 };
    case 1013:
      return { kind: 'rejoin', attempts: 2 };
    case 1008:
      if (closed.newToken && error?.code === 'auth.expired') return { kind: 'rejoin', attempts: 2 };
      return {
        kind: 'end',
        reason: error?.code === 'auth.expired' ? 'tokenExpired' : 'joinRejected',
        error: toError(closed, 'auth.invalid'),
      };
    case 4001:
      return { kind: 'end', reason: 'kicked', error: toError(closed, 'auth.forbidden') };
    case 4002:
      return { kind: 'end', reason: 'roomEnded' };
    case 4003:
    case 4009:
      return { kind: 'end', reason: 'duplicateIdentity' };
    case 4006:
      return disconnect?.retryable === false
        ? { kind: 'end', reason: 'flood', error: toError(closed, 'rate.limited') }
        : { kind: 'rejoin', attempts: 4 };
    case 1003:
    case 1009:
    case 4000:
    case 4007:
      return { kind: 'end', reason: 'protocol', error: toError(closed, code === 4007 ? 'protocol.unsupported' : 'protocol.malformed') };
    default:
      return { kind: 'resume' }; // 1006, 4008 and whatever a proxy says
  }
}

/** The error that a closed WebSocket amounts to, for a first join that failed. */
export function toError(closed: Closed, code: ErrorCode): TurnoutError {
  if (closed.error) return TurnoutError.of(closed.error);
  if (closed.disconnect) return new TurnoutError(code, closed.disconnect.message, { retryable: closed.disconnect.retryable });
  if (closed.code === 1006) return new TurnoutError(code, 'the server cannot be reached', { retryable: true });
  return new TurnoutError(code, `the server closed the connection (${closed.code})`);
}
