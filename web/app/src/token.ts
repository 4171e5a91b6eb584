import { TurnoutError } from '@turnout/client';
import { identity } from './identity.js';

/** The token of an invitation: the fragment #token=… of the page's address. */
export function invitation(hash: string): string | undefined {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token') ?? undefined;
}

/** The name that a token gives, to show it before joining. What it says is checked by the server, not here. */
export function nameIn(token: string): string | undefined {
  try {
    const body = token.split('.')[1] ?? '';
    const bytes = Uint8Array.from(atob(body.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims !== 'object' || claims === null || !('name' in claims)) return undefined;
    return typeof claims.name === 'string' && claims.name !== '' ? claims.name : undefined;
  } catch {
    return undefined;
  }
}

// Bytes of UTF-8, the server's limit (protocol.MaxRoom).
const longestRoom = 128;

/** Asks the server for a token, which a development server gives to everyone. */
export async function fetchToken(room: string, name: string): Promise<string> {
  // What comes by an address was typed into no field that could say so.
  if (new TextEncoder().encode(room).length > longestRoom) {
    throw new TurnoutError('protocol.malformed', 'the name of this room is too long', { hint: 'go to the start and choose a shorter one' });
  }
  const query = new URLSearchParams({ room, identity: identity(), name });
  let response: Response;
  try {
    response = await fetch(`/api/token?${query}`);
  } catch (error) {
    throw new TurnoutError('net.unreachable', 'the server cannot be reached', { retryable: true, cause: error });
  }
  const answer: unknown = await response.json().catch(() => undefined);
  const { token, code, message, hint } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<string, unknown>;
  if (response.ok && typeof token === 'string') return token;
  if (typeof code === 'string' && typeof message === 'string') {
    throw new TurnoutError(code, message, { hint: typeof hint === 'string' ? hint : undefined });
  }
  if (response.status >= 500) throw new TurnoutError('server.internal', `the server answered ${response.status}`, { retryable: true });
  throw new TurnoutError('auth.missing', 'this server gives tokens by invitation only');
}
