// The others in the room, as objects to hold on to. Their state is the room's; see room.ts for who updates it.
import type { ParticipantInfo, PublicationInfo, Source } from './protocol.js';
import type { RemoteTrack } from './tracks.js';

/** What a publication does through the room. */
export interface Subscriber {
  subscribe(id: string, subscribed: boolean): Promise<void>;
}

export class RemotePublication {
  /** @internal Owned by the room. */
  info: PublicationInfo;
  /** @internal Owned by the room. */
  shown: RemoteTrack | undefined;
  readonly #subscriber: Subscriber;
  #subscribed: boolean;

  constructor(info: PublicationInfo, subscriber: Subscriber, subscribed: boolean) {
    this.info = info;
    this.#subscriber = subscriber;
    this.#subscribed = subscribed;
  }

  get sid(): string {
    return this.info.id;
  }
  get source(): Source {
    return this.info.source;
  }
  get kind(): 'audio' | 'video' {
    return this.info.kind;
  }
  get muted(): boolean {
    return this.info.muted;
  }
  /** Whether it is wanted. */
  get subscribed(): boolean {
    return this.#subscribed;
  }
  /** What comes of it; undefined until it is shown on a slot. */
  get track(): RemoteTrack | undefined {
    return this.shown;
  }

  /** Asks the server to send it, or to stop. */
  async setSubscribed(subscribed: boolean): Promise<void> {
    await this.#subscriber.subscribe(this.sid, subscribed);
    this.#subscribed = subscribed;
  }
}

export class RemoteParticipant {
  readonly isLocal = false;
  /** @internal Owned by the room. */
  info: ParticipantInfo;
  /** @internal Owned by the room. */
  speaking = false;
  /** @internal Owned by the room. By id. */
  readonly all = new Map<string, RemotePublication>();

  constructor(info: ParticipantInfo) {
    this.info = info;
  }

  get sid(): string {
    return this.info.sid;
  }
  get identity(): string {
    return this.info.identity;
  }
  /** The name, or the identity of who has none. */
  get name(): string {
    return this.info.name || this.info.identity;
  }
  get metadata(): string {
    return this.info.metadata;
  }
  get attributes(): Readonly<Record<string, string>> {
    return this.info.attributes;
  }
  get isSpeaking(): boolean {
    return this.speaking;
  }
  get publications(): ReadonlyMap<string, RemotePublication> {
    return this.all;
  }

  publication(source: Source): RemotePublication | undefined {
    for (const publication of this.all.values()) if (publication.source === source) return publication;
    return undefined;
  }
}
