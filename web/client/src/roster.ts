// Keeps the objects of the others in agreement with the room's state, and tells what changed.
import type { Emitter } from './emitter.js';
import type { RoomEvents } from './events.js';
import { RemoteParticipant, RemotePublication, type Subscriber } from './participant.js';
import type { Playback } from './playback.js';
import type { ParticipantInfo } from './protocol.js';
import type { RoomData } from './state.js';
import { RemoteTrack } from './tracks.js';

export interface RosterOptions {
  events: Emitter<RoomEvents>;
  playback: Playback;
  subscriber: Subscriber;
  autoSubscribe: boolean;
  receiver: (slot: string) => RTCRtpReceiver | undefined;
}

export class Roster {
  readonly #options: RosterOptions;
  readonly #bySid = new Map<string, RemoteParticipant>();
  /** By identity. */
  readonly participants = new Map<string, RemoteParticipant>();

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  sync(data: RoomData): void {
    for (const [sid, participant] of this.#bySid) if (!data.participants.has(sid)) this.#remove(participant);
    for (const info of data.participants.values()) this.#update(info);
    this.#show(data);
  }

  setSpeaking(sids: readonly string[]): void {
    for (const participant of this.#bySid.values()) participant.speaking = sids.includes(participant.sid);
  }

  #remove(participant: RemoteParticipant): void {
    const { events } = this.#options;
    for (const publication of [...participant.all.values()]) this.#unpublish(publication, participant);
    this.#bySid.delete(participant.sid);
    if (this.participants.get(participant.identity) === participant) this.participants.delete(participant.identity);
    events.emit('participantDisconnected', participant);
  }

  #update(info: ParticipantInfo): void {
    const { events } = this.#options;
    let participant = this.#bySid.get(info.sid);
    if (!participant) {
      participant = new RemoteParticipant(info);
      this.#bySid.set(info.sid, participant);
      this.participants.set(info.identity, participant);
      events.emit('participantConnected', participant);
    } else if (participant.info === info) return;
    const before = participant.info;
    participant.info = info;
    if (before.name !== info.name || before.metadata !== info.metadata || !sameRecord(before.attributes, info.attributes)) {
      events.emit('participantUpdated', participant);
    }
    this.#publications(participant, info);
  }

  #publications(participant: RemoteParticipant, info: ParticipantInfo): void {
    const { events, subscriber, autoSubscribe } = this.#options;
    const ids = new Set(info.publications.map((p) => p.id));
    for (const [id, publication] of participant.all) if (!ids.has(id)) this.#unpublish(publication, participant);
    for (const now of info.publications) {
      const publication = participant.all.get(now.id);
      if (!publication) {
        const added = new RemotePublication(now, subscriber, autoSubscribe);
        participant.all.set(now.id, added);
        events.emit('trackPublished', added, participant);
        continue;
      }
      const wasMuted = publication.muted;
      publication.info = now;
      if (wasMuted !== now.muted) events.emit(now.muted ? 'trackMuted' : 'trackUnmuted', publication, participant);
    }
  }

  #unpublish(publication: RemotePublication, participant: RemoteParticipant): void {
    this.#showOn(undefined, publication, participant);
    participant.all.delete(publication.sid);
    this.#options.events.emit('trackUnpublished', publication, participant);
  }

  /** Gives each publication the slot that shows it. */
  #show(data: RoomData): void {
    const slotOf = new Map([...data.slotMap.publications].map(([slot, id]) => [id, slot]));
    for (const participant of this.#bySid.values()) {
      for (const publication of participant.all.values()) {
        const slot = slotOf.get(publication.sid);
        this.#showOn(slot === undefined ? undefined : this.#options.receiver(slot), publication, participant);
      }
    }
  }

  #showOn(receiver: RTCRtpReceiver | undefined, publication: RemotePublication, participant: RemoteParticipant): void {
    const { events, playback } = this.#options;
    const before = publication.shown;
    if (before?.receiver === receiver) return;
    publication.shown = receiver && new RemoteTrack(receiver, playback);
    if (before) events.emit('trackUnsubscribed', before, publication, participant);
    if (publication.shown) events.emit('trackSubscribed', publication.shown, publication, participant);
  }
}

function sameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => a[k] === b[k]);
}
