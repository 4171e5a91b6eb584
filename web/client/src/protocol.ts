// The signaling protocol, version 1: docs/reference/signaling.md. Messages are made here, and what arrives is checked here.
import { boolean, type Check, type Checked, integer, list, Malformed, number, object, oneOf, optional, record, string } from './check.js';

export const PROTOCOL = 1;
export const SUBPROTOCOL = 'turnout.v1';

/** The version of this client, told to the server. */
export const VERSION = '0.1.0';

const kind = oneOf('audio', 'video');

/** What a publication shows. Other words of 1–32 of [A-Za-z0-9_-] are allowed. */
export type Source = 'camera' | 'microphone' | 'screen' | 'screenAudio' | (string & {});

const source: Check<Source> = string;
const publication = object({ id: string, kind, source, muted: boolean });
const participant = object({
  sid: string,
  identity: string,
  name: string,
  metadata: string,
  attributes: record(string),
  joinedAt: number,
  publications: list(publication),
});
const permissions = object({
  publish: boolean,
  sources: list(source),
  subscribe: boolean,
  data: boolean,
  admin: boolean,
  hidden: boolean,
});
const iceServer = object({ urls: list(string), username: optional(string), credential: optional(string) });
const slotsOfAnswer = list(object({ mid: string, slot: string, kind }));
const nothing: Check<Record<string, never>> = (value, at) => {
  object({})(value, at);
  return {};
};

const leaveReason: Check<LeaveReason> = string;
/** Why somebody left the room. */
export type LeaveReason = 'left' | 'kicked' | 'duplicateIdentity' | 'connectionLost' | 'roomEnded' | (string & {});

/** What the server says, by type; a checked `d` for each. */
const fromServer = {
  joined: object({
    session: object({ id: string, secret: string, graceMs: integer }),
    room: object({ name: string }),
    self: participant,
    permissions,
    participants: list(participant),
    iceServers: list(iceServer),
    heartbeat: object({ intervalMs: integer, timeoutMs: integer }),
    slots: object({ audio: integer, video: integer }),
    limits: object({ messageBytes: integer, publications: integer }),
    server: object({ version: string }),
  }),
  resumed: object({ id: integer }),
  ok: nothing,
  error: object({ code: string, message: string, hint: optional(string), retryable: boolean }),
  answer: object({ transport: integer, rev: integer, sdp: string, slots: slotsOfAnswer }),
  slots: object({ rev: integer, audio: integer, video: integer }),
  needOffer: object({ reason: oneOf('iceRestart', 'newTransport') }),
  slotMap: object({ version: integer, slots: list(object({ slot: string, publication: string })) }),
  participantJoined: object({ participant }),
  participantUpdated: object({ participant }),
  participantLeft: object({ sid: string, identity: string, reason: leaveReason }),
  published: object({ participant: string, publication }),
  publicationUpdated: object({ participant: string, publication }),
  unpublished: object({ participant: string, id: string }),
  iceServers: object({ iceServers: list(iceServer) }),
  draining: object({ deadlineMs: integer }),
  disconnect: object({ reason: string, message: string, retryable: boolean }),
  pong: nothing,
} as const;

type FromServer = typeof fromServer;

export type ParticipantInfo = Checked<typeof participant>;
export type PublicationInfo = Checked<typeof publication>;
export type Permissions = Checked<typeof permissions>;
export type IceServer = Checked<typeof iceServer>;
export type SlotOfAnswer = Checked<typeof slotsOfAnswer>[number];
export type Joined = Checked<FromServer['joined']>;
export type ErrorInfo = Checked<FromServer['error']>;

/** A message of the server. `unknown` is one that this version does not know; it is counted and otherwise ignored. */
export type ServerMessage =
  { [T in keyof FromServer]: { t: T; d: Checked<FromServer[T]> } }[keyof FromServer] | { t: 'unknown'; d: { type: string } };

/** n numbers the message within the session; re is the request that it answers. */
export type ServerFrame = ServerMessage & { n?: number; re?: number };

/** Reads a frame of the server. Throws Malformed. */
export function decode(text: string): ServerFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Malformed('frame: JSON expected');
  }
  const frame = envelope(value, 'frame');
  const numbers = { ...(frame.n !== undefined && { n: frame.n }), ...(frame.re !== undefined && { re: frame.re }) };
  if (!Object.hasOwn(fromServer, frame.t)) return { t: 'unknown', d: { type: frame.t }, ...numbers };
  const t = frame.t as keyof FromServer;
  const d = fromServer[t]((value as { d?: unknown }).d ?? {}, t);
  return { t, d, ...numbers } as ServerFrame;
}

const envelope = object({ t: string, n: optional(integer), re: optional(integer) });

export interface Candidate {
  candidate: string;
  sdpMid: string | null;
  sdpMLineIndex: number | null;
  usernameFragment: string | null;
}

export interface OfferedPublication {
  mid: string;
  id: string;
  source: Source;
  muted?: boolean;
}

/** What a participant may change about itself. An attribute with the value "" is removed. */
export interface Update {
  name?: string;
  metadata?: string;
  attributes?: Record<string, string>;
}

/** A message that is answered: by ok, by error, or by the type in RequestReply. */
export type Request =
  | { t: 'join'; d: { protocol: 1; token?: string; client: { name: string; version: string }; autoSubscribe?: boolean } }
  | { t: 'resume'; d: { protocol: 1; session: string; secret: string; n: number } }
  | { t: 'offer'; d: { transport: number; rev: number; sdp: string; publications: OfferedPublication[] } }
  | { t: 'unpublish'; d: { id: string } }
  | { t: 'mute'; d: { id: string; muted: boolean } }
  | { t: 'subscribe'; d: { id: string; subscribed: boolean } }
  | { t: 'update'; d: Update }
  | { t: 'kick'; d: { identity: string; reason?: string } }
  | { t: 'endRoom'; d: { reason?: string } }
  | { t: 'leave'; d: Record<string, never> };

/** A message without an answer. It is lost when the WebSocket drops. */
export type Post = { t: 'ready'; d: { rev: number } } | { t: 'candidate'; d: Candidate } | { t: 'ping'; d: { n: number } };

export type ClientFrame = (Request & { id: number }) | Post;

export function encode(frame: ClientFrame): string {
  return JSON.stringify(frame);
}
