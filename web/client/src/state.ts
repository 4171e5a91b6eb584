// The room as one value, and how each message changes it. Nothing here has a side effect.
import type { DisconnectReason } from './closing.js';
import type { TurnoutError } from './errors.js';
import type { ParticipantInfo, Permissions, PublicationInfo, ServerMessage } from './protocol.js';

export type RoomState = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'disconnected';
/** fallback: data goes over the WebSocket. */
export type Link = 'up' | 'fallback' | 'connecting' | 'down';

export interface RoomData {
  readonly connection: RoomState;
  /** Why it is disconnected. */
  readonly reason: DisconnectReason | undefined;
  readonly error: TurnoutError | undefined;
  /** A partial outage is visible: three links, not one boolean. */
  readonly links: { readonly signal: Link; readonly media: Link; readonly data: Link };
  readonly name: string;
  readonly self: ParticipantInfo | undefined;
  readonly permissions: Permissions;
  /** The others, by sid. */
  readonly participants: ReadonlyMap<string, ParticipantInfo>;
  readonly slotMap: { readonly version: number; readonly publications: ReadonlyMap<string, string> };
  /** Sids of who is speaking, loudest first. */
  readonly speakers: readonly string[];
  readonly canPlayAudio: boolean;
  /** The server stops at this time, unix ms. */
  readonly drainingUntil: number | undefined;
}

const nobody: Permissions = { publish: false, sources: [], subscribe: false, data: false, admin: false, hidden: false };

export const initial: RoomData = {
  connection: 'idle',
  reason: undefined,
  error: undefined,
  links: { signal: 'down', media: 'down', data: 'down' },
  name: '',
  self: undefined,
  permissions: nobody,
  participants: new Map(),
  slotMap: { version: 0, publications: new Map() },
  speakers: [],
  canPlayAudio: true,
  drainingUntil: undefined,
};

/** What happens in the browser. */
export type LocalMessage =
  | { t: 'connecting' }
  | { t: 'reconnecting' }
  | { t: 'resumedSession' }
  | { t: 'disconnected'; reason: DisconnectReason; error?: TurnoutError | undefined }
  | { t: 'link'; link: 'media' | 'data'; state: Link }
  | { t: 'speakers'; sids: readonly string[] }
  | { t: 'audioPlayback'; possible: boolean }
  | { t: 'drainingUntil'; at: number };

export type Message = ServerMessage | LocalMessage;

export function reduce(state: RoomData, message: Message): RoomData {
  switch (message.t) {
    case 'connecting':
      return { ...state, connection: 'connecting', reason: undefined, error: undefined, links: { ...state.links, signal: 'connecting' } };
    case 'reconnecting':
      return { ...state, connection: 'reconnecting', links: { ...state.links, signal: 'connecting' } };
    case 'resumedSession':
      return { ...state, connection: 'connected', links: { ...state.links, signal: 'up' } };
    case 'disconnected':
      return disconnected(state, message.reason, message.error);
    case 'link':
      return { ...state, links: { ...state.links, [message.link]: message.state } };
    case 'speakers':
      return { ...state, speakers: message.sids };
    case 'audioPlayback':
      return state.canPlayAudio === message.possible ? state : { ...state, canPlayAudio: message.possible };
    case 'drainingUntil':
      return { ...state, drainingUntil: message.at };
    case 'joined':
      return {
        ...state,
        connection: 'connected',
        links: { ...state.links, signal: 'up' },
        name: message.d.room.name,
        self: message.d.self,
        permissions: message.d.permissions,
        participants: new Map(message.d.participants.map((p) => [p.sid, p])),
        slotMap: initial.slotMap,
        speakers: [],
        drainingUntil: undefined,
      };
    case 'slotMap':
      if (message.d.version <= state.slotMap.version) return state;
      return {
        ...state,
        slotMap: { version: message.d.version, publications: new Map(message.d.slots.map((s) => [s.slot, s.publication])) },
      };
    case 'participantJoined':
    case 'participantUpdated':
      return withParticipant(state, message.d.participant.sid, () => message.d.participant, message.t === 'participantJoined');
    case 'participantLeft': {
      if (!state.participants.has(message.d.sid)) return state;
      const participants = new Map(state.participants);
      participants.delete(message.d.sid);
      return { ...state, participants, speakers: state.speakers.filter((sid) => sid !== message.d.sid) };
    }
    case 'published':
    case 'publicationUpdated':
      return withParticipant(state, message.d.participant, (p) => ({
        ...p,
        publications: replaced(p.publications, message.d.publication),
      }));
    case 'unpublished':
      return withParticipant(state, message.d.participant, (p) => ({
        ...p,
        publications: p.publications.filter((pub) => pub.id !== message.d.id),
      }));
    case 'resumed':
    case 'ok':
    case 'error':
    case 'answer':
    case 'slots':
    case 'needOffer':
    case 'iceServers':
    case 'draining':
    case 'disconnect':
    case 'pong':
    case 'unknown':
      return state; // for the shells
    default:
      message satisfies never;
      return state;
  }
}

function disconnected(state: RoomData, reason: DisconnectReason, error: TurnoutError | undefined): RoomData {
  return {
    ...initial,
    name: state.name,
    self: state.self && { ...state.self, publications: [] },
    canPlayAudio: state.canPlayAudio,
    connection: 'disconnected',
    reason,
    error,
  };
}

/** Changes the participant with a sid, oneself included. An unknown one is added when `add`, else ignored. */
function withParticipant(state: RoomData, sid: string, change: (p: ParticipantInfo) => ParticipantInfo, add = false): RoomData {
  if (state.self?.sid === sid) return { ...state, self: change(state.self) };
  const before = state.participants.get(sid);
  if (!before && !add) return state;
  const after = change(before ?? { sid, identity: '', name: '', metadata: '', attributes: {}, joinedAt: 0, publications: [] });
  return { ...state, participants: new Map(state.participants).set(sid, after) };
}

function replaced(list: readonly PublicationInfo[], publication: PublicationInfo): PublicationInfo[] {
  return list.some((p) => p.id === publication.id) ? list.map((p) => (p.id === publication.id ? publication : p)) : [...list, publication];
}
