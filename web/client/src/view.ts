// The room as an immutable value to render from.
import type { DisconnectReason } from './closing.js';
import type { TurnoutError } from './errors.js';
import type { LocalParticipant } from './local.js';
import type { RemoteParticipant } from './participant.js';
import type { Permissions, Source } from './protocol.js';
import type { RoomData, RoomState } from './state.js';
import type { LocalTrack, RemoteTrack } from './tracks.js';

export interface PublicationView {
  readonly id: string;
  readonly kind: 'audio' | 'video';
  readonly source: Source;
  readonly muted: boolean;
  readonly track: LocalTrack | RemoteTrack | undefined;
  /** What is shown now; another one after a change of device or slot. */
  readonly media: MediaStreamTrack | undefined;
}

export interface ParticipantView {
  readonly identity: string;
  readonly sid: string;
  readonly name: string;
  readonly metadata: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly isLocal: boolean;
  readonly isSpeaking: boolean;
  readonly joinedAt: number;
  readonly publications: readonly PublicationView[];
}

/** Another value after each change; the same value when nothing has changed. */
export interface RoomSnapshot {
  readonly version: number;
  readonly state: RoomState;
  /** Why it is disconnected. */
  readonly reason: DisconnectReason | undefined;
  readonly error: TurnoutError | undefined;
  readonly transports: RoomData['links'];
  readonly name: string;
  readonly permissions: Permissions;
  readonly local: ParticipantView;
  /** The others, who came first in front. */
  readonly participants: readonly ParticipantView[];
  /** Identities, loudest first. */
  readonly activeSpeakers: readonly string[];
  readonly canPlayAudio: boolean;
  /** The server stops at this time, unix ms. */
  readonly drainingUntil: number | undefined;
}

export function view(version: number, data: RoomData, local: LocalParticipant, remotes: Iterable<RemoteParticipant>): RoomSnapshot {
  const participants = [...remotes].map(viewOf).sort((a, b) => a.joinedAt - b.joinedAt || (a.sid < b.sid ? -1 : 1));
  const me = viewOf(local);
  const everyone = new Map([me, ...participants].map((p) => [p.sid, p.identity]));
  return {
    version,
    state: data.connection,
    reason: data.reason,
    error: data.error,
    transports: data.links,
    name: data.name,
    permissions: data.permissions,
    local: me,
    participants,
    activeSpeakers: data.speakers.flatMap((sid) => everyone.get(sid) ?? []),
    canPlayAudio: data.canPlayAudio,
    drainingUntil: data.drainingUntil,
  };
}

function viewOf(p: LocalParticipant | RemoteParticipant): ParticipantView {
  const { identity, sid, name, metadata, attributes, isLocal, isSpeaking } = p;
  const publications = [...p.publications.values()].map((publication) => ({
    id: publication.sid,
    kind: publication.kind,
    source: publication.source,
    muted: publication.muted,
    track: publication.track,
    media: publication.track?.media,
  }));
  return { identity, sid, name, metadata, attributes, isLocal, isSpeaking, joinedAt: p.info?.joinedAt ?? 0, publications };
}
