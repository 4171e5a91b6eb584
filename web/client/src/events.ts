import type { DisconnectReason } from './closing.js';
import type { TurnoutError } from './errors.js';
import type { LocalParticipant, LocalPublication } from './local.js';
import type { RemoteParticipant, RemotePublication } from './participant.js';
import type { RoomState } from './state.js';
import type { RemoteTrack } from './tracks.js';

/** What a room tells, with the arguments of its listeners. */
export interface RoomEvents {
  /** Now, and before. */
  stateChanged: [RoomState, RoomState];
  transportsChanged: [];
  connected: [];
  /** The connection was lost; every reconnecting is followed by reconnected or disconnected. */
  reconnecting: [];
  reconnected: [];
  disconnected: [DisconnectReason, TurnoutError | undefined];
  participantConnected: [RemoteParticipant];
  participantDisconnected: [RemoteParticipant];
  /** Name, metadata or attributes. */
  participantUpdated: [RemoteParticipant | LocalParticipant];
  trackPublished: [RemotePublication, RemoteParticipant];
  trackUnpublished: [RemotePublication, RemoteParticipant];
  trackSubscribed: [RemoteTrack, RemotePublication, RemoteParticipant];
  trackUnsubscribed: [RemoteTrack, RemotePublication, RemoteParticipant];
  trackMuted: [RemotePublication | LocalPublication, RemoteParticipant | LocalParticipant];
  trackUnmuted: [RemotePublication | LocalPublication, RemoteParticipant | LocalParticipant];
  localTrackPublished: [LocalPublication];
  localTrackUnpublished: [LocalPublication];
  /** Identities, loudest first. */
  activeSpeakersChanged: [readonly string[]];
  audioPlaybackChanged: [boolean];
  devicesChanged: [MediaDeviceInfo[]];
  /** A camera or a microphone that was in use is gone; its publication is muted. */
  deviceError: [TurnoutError, 'audio' | 'video'];
  draining: [{ deadline: Date }];
  /** Something failed that nobody waits for. */
  error: [TurnoutError];
}
