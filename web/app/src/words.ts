// What went wrong, in words, and what to do about it.
import type { DisconnectReason, TurnoutError } from '@turnout/client';

export interface Words {
  title: string;
  text: string;
}

export function wordsFor(error: TurnoutError): Words {
  switch (error.code) {
    case 'auth.missing':
      return {
        title: 'An invitation is needed',
        text: 'This server lets people in by invitation link only. Ask whoever runs the call for one.',
      };
    case 'auth.expired':
      return { title: 'The invitation has expired', text: 'Ask for a new invitation link.' };
    case 'auth.invalid':
      return {
        title: 'The invitation is not valid',
        text: 'The link may be incomplete, or made for another server. Ask for a new invitation link.',
      };
    case 'auth.forbidden':
      return { title: 'This is not allowed', text: `Your invitation does not allow it: ${error.message}.` };
    case 'room.full':
      return { title: 'The room is full', text: 'Try again when somebody has left.' };
    case 'server.full':
    case 'server.draining':
      return { title: 'The server has no room right now', text: 'Try again in a minute.' };
    case 'identity.taken':
      return { title: 'You are in this call already', text: 'Leave it in the other window or device first.' };
    case 'net.unreachable':
    case 'net.timeout':
      return { title: 'The server cannot be reached', text: 'Check your network connection and try again.' };
    case 'media.denied':
      return { title: sentence(error.message), text: 'Allow it with the button in the address bar, then try again.' };
    case 'media.notFound':
    case 'media.inUse':
    case 'media.overconstrained':
      return { title: sentence(error.message), text: sentence(error.hint ?? 'You can go on without it') + '.' };
    default:
      return { title: sentence(error.message), text: error.hint ? `${sentence(error.hint)}.` : error.retryable ? 'Please try again.' : '' };
  }
}

export function wordsForEnd(reason: DisconnectReason, error: TurnoutError | undefined): Words {
  switch (reason) {
    case 'client':
      return { title: 'You left the call', text: 'It goes on for everyone else.' };
    case 'kicked':
      return { title: 'You were removed from the call', text: error ? `${sentence(error.message)}.` : '' };
    case 'roomEnded':
      return { title: 'The call has ended', text: 'It was ended for everyone.' };
    case 'duplicateIdentity':
      return { title: 'You joined from somewhere else', text: 'This window was disconnected. You can take the call back here.' };
    case 'tokenExpired':
      return { title: 'The invitation has expired', text: 'Ask for a new invitation link.' };
    case 'serverShutdown':
      return { title: 'The server has stopped', text: 'Try again in a minute.' };
    case 'networkLost':
      return { title: 'The connection was lost', text: 'We tried for a while. Check your network connection and join again.' };
    case 'joinRejected':
    case 'protocol':
    case 'flood':
      return error ? wordsFor(error) : { title: 'The call was interrupted', text: 'Please join again.' };
    default:
      reason satisfies never;
      return { title: 'The call was interrupted', text: 'Please join again.' };
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
