// Oneself: what is published, under which name.
import type { VideoCodec } from './codecs.js';
import { createScreenTracks, createTracks, usualAudio, usualVideo } from './devices.js';
import { TurnoutError } from './errors.js';
import type { Outgoing } from './transport.js';
import type { ParticipantInfo, Permissions, Source, Update } from './protocol.js';
import { LocalTrack } from './tracks.js';

/** What oneself does through the room. */
export interface Publisher {
  publish(outgoing: Outgoing): Promise<void>;
  unpublish(id: string): Promise<void>;
  replaceTrack(id: string, media: MediaStreamTrack | null): Promise<void>;
  mute(id: string, muted: boolean): Promise<void>;
  update(update: Update): Promise<void>;
  /** Something to be shown has changed. */
  changed(): void;
  published(publication: LocalPublication): void;
  unpublished(publication: LocalPublication): void;
  deviceLost(error: TurnoutError, publication: LocalPublication): void;
}

export interface PublishOptions {
  source?: Source;
  muted?: boolean;
  /** Bits a second. */
  maxBitrate?: number;
  /**
   * What video is sent with where this browser can; elsewhere with what it prefers itself. Default: the room's option of that name.
   * Only those whose browsers can play it see it.
   */
  videoCodec?: VideoCodec | undefined;
}

// Enough for the sizes that devices.ts asks for.
const bitrates: Record<string, number> = { camera: 1_200_000, screen: 2_500_000 };

export class LocalPublication implements Outgoing {
  readonly isLocal = true;
  readonly id: string;
  readonly source: Source;
  readonly kind: 'audio' | 'video';
  readonly maxBitrate: number | undefined;
  readonly videoCodec: VideoCodec | undefined;
  readonly track: LocalTrack;
  media: MediaStreamTrack | null;
  muted: boolean;
  readonly #publisher: Publisher;

  constructor(track: LocalTrack, publisher: Publisher, options: PublishOptions) {
    this.id = randomId();
    this.track = track;
    this.kind = track.kind;
    this.source = options.source ?? track.source;
    this.maxBitrate = options.maxBitrate ?? bitrates[this.source];
    this.videoCodec = options.videoCodec;
    this.media = track.media;
    this.muted = options.muted ?? false;
    this.#publisher = publisher;
    track.onReplaced((media) => this.#replace(media));
    if (this.muted) track.media.enabled = false;
  }

  get sid(): string {
    return this.id;
  }

  /** Others see it muted, and nothing of it is sent. The camera's light goes off. */
  async mute(): Promise<void> {
    if (this.muted) return;
    this.silence();
    await this.#publisher.mute(this.id, true);
  }

  async unmute(): Promise<void> {
    if (!this.muted) return;
    if (this.track.media.readyState === 'ended') await this.track.restart();
    this.track.media.enabled = true;
    this.muted = false;
    await this.#replace(this.track.media);
    this.#publisher.changed();
    await this.#publisher.mute(this.id, false);
  }

  /** @internal Mutes on this side; the server knows, or is told after. */
  silence(): void {
    this.muted = true;
    this.track.media.enabled = false;
    if (this.source === 'camera') {
      this.track.stop();
      void this.#replace(null);
    }
    this.#publisher.changed();
  }

  async #replace(media: MediaStreamTrack | null): Promise<void> {
    this.media = media;
    await this.#publisher.replaceTrack(this.id, media);
    this.#publisher.changed();
  }
}

export class LocalParticipant {
  readonly isLocal = true;
  /** @internal Owned by the room. */
  info: ParticipantInfo | undefined;
  /** @internal Owned by the room. */
  permissionsNow: Permissions;
  /** @internal Owned by the room. */
  speaking = false;
  readonly #publisher: Publisher;
  readonly #videoCodec: VideoCodec | undefined;
  readonly #publications = new Map<string, LocalPublication>();
  /** The last wish for each source: a second click waits for the first. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(publisher: Publisher, permissions: Permissions, videoCodec?: VideoCodec) {
    this.#publisher = publisher;
    this.#videoCodec = videoCodec;
    this.permissionsNow = permissions;
  }

  get sid(): string {
    return this.info?.sid ?? '';
  }
  get identity(): string {
    return this.info?.identity ?? '';
  }
  get name(): string {
    return this.info?.name || this.identity;
  }
  get metadata(): string {
    return this.info?.metadata ?? '';
  }
  get attributes(): Readonly<Record<string, string>> {
    return this.info?.attributes ?? {};
  }
  get permissions(): Permissions {
    return this.permissionsNow;
  }
  get isSpeaking(): boolean {
    return this.speaking;
  }
  get publications(): ReadonlyMap<string, LocalPublication> {
    return this.#publications;
  }

  publication(source: Source): LocalPublication | undefined {
    for (const publication of this.#publications.values()) if (publication.source === source) return publication;
    return undefined;
  }

  /** Turns the camera on (asking for it the first time) or off. Rejects with a TurnoutError media.*. */
  setCamera(on: boolean, constraints?: MediaTrackConstraints): Promise<LocalPublication | undefined> {
    return this.#inTurn('camera', () => this.#toggle('camera', on, { video: { ...usualVideo, ...constraints } }));
  }

  setMicrophone(on: boolean, constraints?: MediaTrackConstraints): Promise<LocalPublication | undefined> {
    return this.#inTurn('microphone', () => this.#toggle('microphone', on, { audio: { ...usualAudio, ...constraints } }));
  }

  /** Asks which screen to share, and shares it; with off, stops. It also stops when the browser's own button says so. */
  setScreenShare(on: boolean, options: { audio?: boolean; contentHint?: 'detail' | 'motion' | 'text' } = {}): Promise<LocalPublication[]> {
    return this.#inTurn('screen', async () => {
      const before = [this.publication('screen'), this.publication('screenAudio')].filter((p) => p !== undefined);
      if (on && before.length > 0) return before;
      await Promise.all(before.map((p) => this.unpublish(p)));
      if (!on) return [];
      const tracks = await createScreenTracks(options);
      return Promise.all(tracks.map((track) => this.publish(track)));
    });
  }

  /** Settles when the server has taken it; it is in publications at once. */
  async publish(given: MediaStreamTrack | LocalTrack, options: PublishOptions = {}): Promise<LocalPublication> {
    const track = given instanceof LocalTrack ? given : new LocalTrack(given, options.source);
    const publication = new LocalPublication(track, this.#publisher, { ...options, videoCodec: options.videoCodec ?? this.#videoCodec });
    this.#publications.set(publication.id, publication);
    track.onEnded(() => this.#ended(publication));
    this.#publisher.changed();
    try {
      await this.#publisher.publish(publication);
    } catch (error) {
      this.#forget(publication);
      throw error;
    }
    this.#publisher.published(publication);
    return publication;
  }

  /** Takes it back and lets go of the device. */
  async unpublish(publication: LocalPublication): Promise<void> {
    if (!this.#publications.has(publication.id)) return;
    this.#forget(publication);
    publication.track.stop();
    await this.#publisher.unpublish(publication.id);
    this.#publisher.unpublished(publication);
  }

  setName(name: string): Promise<void> {
    return this.#publisher.update({ name });
  }

  /** An attribute with the value "" is removed. */
  setAttributes(attributes: Record<string, string>): Promise<void> {
    return this.#publisher.update({ attributes });
  }

  setMetadata(metadata: string): Promise<void> {
    return this.#publisher.update({ metadata });
  }

  /** @internal The room is over. */
  close(stopTracks: boolean): void {
    for (const publication of [...this.#publications.values()]) {
      this.#forget(publication);
      if (stopTracks) publication.track.stop();
    }
  }

  async #toggle(
    source: 'camera' | 'microphone',
    on: boolean,
    wish: { audio?: MediaTrackConstraints; video?: MediaTrackConstraints },
  ): Promise<LocalPublication | undefined> {
    const before = this.publication(source);
    if (before) {
      await (on ? before.unmute() : before.mute());
      return before;
    }
    if (!on) return undefined;
    const [track] = await createTracks(wish);
    return track && this.publish(track);
  }

  /** The device was taken away, or the browser's own button has ended the sharing. */
  #ended(publication: LocalPublication): void {
    if (publication.source.startsWith('screen')) return void this.setScreenShare(false);
    void publication.mute().catch(() => undefined); // without a connection the next one tells
    const device = publication.kind === 'audio' ? 'microphone' : 'camera';
    const error = new TurnoutError('media.lost', `the ${device} was disconnected`, { hint: 'choose another one, or connect it again' });
    this.#publisher.deviceLost(error, publication);
  }

  #forget(publication: LocalPublication): void {
    this.#publications.delete(publication.id);
    publication.track.onReplaced(undefined);
    publication.track.onEnded(undefined);
    this.#publisher.changed();
  }

  #inTurn<T>(what: string, f: () => Promise<T>): Promise<T> {
    const turn = (this.#busy.get(what) ?? Promise.resolve()).then(f, f);
    this.#busy.set(what, turn);
    return turn;
  }
}

/** 12 letters and digits: unique in a room without asking anyone. */
function randomId(): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `TR_${[...bytes].map((b) => letters[b % letters.length]).join('')}`;
}
