// A room: one value of state, and the shells that change it.
import { usualBackoff } from './backoff.js';
import { binaryOf } from './binary.js';
import { Chat } from './chat.js';
import type { DisconnectReason } from './closing.js';
import { Data } from './data.js';
import { listDevices } from './devices.js';
import type { Documents } from './documents.js';
import { Emitter } from './emitter.js';
import { notConnected, TurnoutError } from './errors.js';
import type { RoomEvents } from './events.js';
import { Listening } from './listening.js';
import { LocalParticipant } from './local.js';
import { Media } from './media.js';
import { Moderation } from './moderation.js';
import { watchNetwork } from './network.js';
import type { RemoteParticipant } from './participant.js';
import { autoSubscribe, type RoomOptions, socketUrl } from './options.js';
import { Playback } from './playback.js';
import type { Presence } from './presence.js';
import type { Joined, ServerMessage } from './protocol.js';
import { Roster } from './roster.js';
import { Signal } from './signal.js';
import { initial, type Link, type Message, reduce, type RoomData, type RoomState } from './state.js';
import { callStats, type CallStats, type Traffic } from './stats.js';
import { openTopic, type Topic, type TopicOptions } from './topic.js';
import { type RoomSnapshot, view } from './view.js';
import { Wishes } from './wishes.js';

/** Joins a room. */
export async function connect(options: RoomOptions, signal?: AbortSignal): Promise<Room> {
  const room = new Room(options);
  await room.connect(signal);
  return room;
}

export class Room {
  // Set at construction, never changed.
  readonly local: LocalParticipant;
  readonly chat: Chat;
  readonly moderation: Moderation;
  readonly #options: RoomOptions;
  readonly #events = new Emitter<RoomEvents>();
  readonly #playback: Playback;
  readonly #roster: Roster;
  readonly #data: Data;
  readonly #listening: Listening;
  readonly #media: Media;
  readonly #wishes = new Wishes((request) => this.#request(request));
  readonly #subscribers = new Set<() => void>();
  // Owned by #dispatch.
  #state: RoomData = initial;
  #version = 0;
  #snapshot: RoomSnapshot | undefined;
  // Owned by connect and #ended.
  #signal: Signal | undefined;
  #unwatch: () => void = () => undefined;
  #traffic: Traffic | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#playback = new Playback((possible) => this.#dispatch({ t: 'audioPlayback', possible }));
    this.#media = new Media(
      {
        up: () => this.#signal?.up ?? false,
        request: (request) => this.#signal?.request(request) ?? Promise.reject(notConnected()),
        post: (post) => this.#signal?.post(post),
      },
      {
        createConnection: (config) => new RTCPeerConnection(config),
        config: { ...options.rtc, ...(options.relayOnly && { iceTransportPolicy: 'relay' }) },
        idle: options.media === false,
      },
      {
        link: (state) => {
          this.#link('media', state);
          this.#data.media(state === 'up');
        },
        slotsChanged: () => this.#tracksChanged(),
        channels: (reliable, lossy) => this.#data.channels(reliable, lossy),
        error: (error) => this.#events.emit('error', error),
      },
    );
    this.#data = new Data({
      socket: binaryOf(() => this.#signal),
      webRTC: options.media !== false,
      link: (state) => this.#link('data', state),
      reopen: () => this.#media.openChannels(),
    });
    this.local = new LocalParticipant(
      {
        publish: (outgoing) => this.#media.publish(outgoing),
        unpublish: (id) => this.#media.unpublish(id),
        replaceTrack: (id, media) => this.#media.replaceTrack(id, media),
        mute: (id, muted) => this.#muteOwn(id, muted),
        update: (update) => this.#wishes.update(update),
        changed: () => this.#changed(),
        published: (publication) => this.#events.emit('localTrackPublished', publication),
        unpublished: (publication) => this.#events.emit('localTrackUnpublished', publication),
        deviceLost: (error, publication) => this.#events.emit('deviceError', error, publication.kind),
      },
      initial.permissions,
      options.videoCodec,
    );
    this.#roster = new Roster({
      events: this.#events,
      playback: this.#playback,
      subscriber: this.#wishes,
      autoSubscribe: autoSubscribe(options),
      receiver: (slot) => this.#media.receiver(slot),
    });
    this.#listening = new Listening(
      this.local,
      () => this.participants.values(),
      (sids) => this.#dispatch({ t: 'speakers', sids }),
    );
    this.chat = new Chat(
      this.#data,
      () => ({ identity: this.local.identity, name: this.local.name }),
      (identity) => this.participants.get(identity)?.name ?? identity,
    );
    this.moderation = new Moderation((request) => this.#request(request), this.#roster.participants);
  }

  get name(): string {
    return this.#state.name;
  }
  get state(): RoomState {
    return this.#state.connection;
  }
  /** A partial outage is visible: three links, not one boolean. */
  get transports(): { readonly signal: Link; readonly media: Link; readonly data: Link } {
    return this.#state.links;
  }
  /** The others, by identity. */
  get participants(): ReadonlyMap<string, RemoteParticipant> {
    return this.#roster.participants;
  }
  get activeSpeakers(): readonly string[] {
    return this.getSnapshot().activeSpeakers;
  }
  /** False when the browser wants a click before it plays sound: see startAudio. */
  get canPlayAudio(): boolean {
    return this.#state.canPlayAudio;
  }
  get presence(): Presence {
    return this.#data.presence;
  }
  get documents(): Documents {
    return this.#data.documents;
  }

  /** Joins. Rejects with a TurnoutError when the first attempt fails; later losses are mended without it. */
  async connect(signal?: AbortSignal): Promise<void> {
    if (this.#signal) throw new TurnoutError('state.connected', 'the room is connected already', { hint: 'disconnect first' });
    this.#dispatch({ t: 'connecting' });
    const own = new Signal(
      {
        url: socketUrl(this.#options.url),
        token: this.#options.token,
        autoSubscribe: autoSubscribe(this.#options),
        backoff: { ...usualBackoff, ...this.#options.reconnect },
        random: Math.random,
        openSocket: (url, protocols) => new WebSocket(url, protocols),
        log: this.#options.log ?? (() => undefined),
      },
      {
        joined: (joined, again) => this.#joined(joined, again),
        resumed: () => this.#resumed(),
        message: (message) => this.#message(message),
        binary: (message) => this.#data.socketMessage(message),
        lost: () => this.#lost(),
        ended: (reason, error) => this.#ended(reason, error),
      },
    );
    this.#signal = own;
    this.#unwatch = watchNetwork({
      changed: () => {
        own.networkChanged();
        this.#media.networkChanged();
      },
      closing: () => own.leaveNow(),
      devices: () => void this.#devicesChanged(),
    });
    await own.connect(signal);
  }

  /** Leaves. Cameras and microphones are let go of unless told otherwise. */
  async disconnect(options: { stopTracks?: boolean } = {}): Promise<void> {
    if (options.stopTracks === false) this.local.close(false);
    await this.#signal?.leave();
  }

  /** Gives the function that stops the listening. */
  on<K extends keyof RoomEvents>(event: K, listener: (...args: RoomEvents[K]) => void): () => void {
    return this.#events.on(event, listener);
  }

  once<K extends keyof RoomEvents>(event: K, listener: (...args: RoomEvents[K]) => void): () => void {
    return this.#events.once(event, listener);
  }

  /** Calls f when getSnapshot gives another value. Both are made for useSyncExternalStore. */
  subscribe = (f: () => void): (() => void) => {
    this.#subscribers.add(f);
    return () => void this.#subscribers.delete(f);
  };

  getSnapshot = (): RoomSnapshot => (this.#snapshot ??= view(this.#version, this.#state, this.local, this.participants.values()));

  /** Plays what the browser refused to play. To be called in a click. */
  startAudio(): Promise<void> {
    return this.#playback.start();
  }

  /** Goes on with another camera, microphone or loudspeaker. */
  async switchDevice(kind: MediaDeviceKind, deviceId: string): Promise<void> {
    if (kind === 'audiooutput') return this.#playback.setSink(deviceId);
    const publication = this.local.publication(kind === 'audioinput' ? 'microphone' : 'camera');
    await publication?.track.restart({ ...publication.track.constraints, deviceId: { exact: deviceId } });
  }

  /** Messages on a topic. */
  data<T = unknown>(topic: string, options?: TopicOptions<T>): Topic<T> {
    return openTopic(this.#data, topic, options);
  }

  async getStats(): Promise<CallStats> {
    const raw = await this.#media.getStats();
    if (!raw) throw notConnected();
    const { stats, traffic } = callStats(raw, this.#traffic);
    this.#traffic = traffic;
    return stats;
  }

  #joined(joined: Joined, again: boolean): void {
    this.#dispatch({ t: 'joined', d: joined });
    this.#media.joined(joined);
    this.#data.socket(true);
    this.#listening.start();
    if (again) this.#wishes.again();
  }

  #resumed(): void {
    this.#media.resumed();
    this.#data.socket(true);
    this.#dispatch({ t: 'resumedSession' });
  }

  #lost(): void {
    this.#data.socket(false);
    this.#dispatch({ t: 'reconnecting' });
  }

  #message(message: ServerMessage): void {
    this.#media.message(message);
    if (message.t === 'draining') {
      const at = Date.now() + message.d.deadlineMs;
      this.#dispatch({ t: 'drainingUntil', at });
      this.#events.emit('draining', { deadline: new Date(at) });
    }
    this.#dispatch(message);
    if (message.t === 'publicationUpdated' && message.d.participant === this.local.sid) this.#mutedByOther(message.d.publication);
  }

  #ended(reason: DisconnectReason, error: TurnoutError | undefined): void {
    this.#unwatch();
    this.#signal = undefined;
    this.#listening.stop();
    this.#media.close();
    this.#data.close();
    this.local.close(true);
    this.#playback.detachAll();
    this.#wishes.clear();
    this.#dispatch({ t: 'disconnected', reason, error });
  }

  #link(link: 'media' | 'data', state: Link): void {
    this.#dispatch({ t: 'link', link, state });
  }

  #dispatch(message: Message): void {
    const before = this.#state;
    const now = reduce(before, message);
    if (now === before) return;
    this.#state = now;
    this.#snapshot = undefined;
    this.local.info = now.self;
    this.local.permissionsNow = now.permissions;
    this.local.speaking = now.self !== undefined && now.speakers.includes(now.self.sid);
    if (now.participants !== before.participants || now.slotMap !== before.slotMap) this.#roster.sync(now);
    if (now.speakers !== before.speakers) this.#roster.setSpeaking(now.speakers);
    this.#changed();
    this.#tell(before, now);
  }

  /** Tells what the state says; the roster tells of the others. */
  #tell(before: RoomData, now: RoomData): void {
    const events = this.#events;
    if (now.connection !== before.connection) {
      events.emit('stateChanged', now.connection, before.connection);
      if (now.connection === 'reconnecting') events.emit('reconnecting');
      if (now.connection === 'connected') events.emit(before.connection === 'reconnecting' ? 'reconnected' : 'connected');
      if (now.connection === 'disconnected') events.emit('disconnected', now.reason ?? 'client', now.error);
    }
    if (now.links !== before.links) events.emit('transportsChanged');
    if (now.self !== before.self && before.self && now.self?.sid === before.self.sid) events.emit('participantUpdated', this.local);
    if (now.speakers !== before.speakers) events.emit('activeSpeakersChanged', this.activeSpeakers);
    if (now.canPlayAudio !== before.canPlayAudio) events.emit('audioPlaybackChanged', now.canPlayAudio);
  }

  #tracksChanged(): void {
    this.#roster.sync(this.#state);
    this.#changed();
  }

  #changed(): void {
    this.#version++;
    this.#snapshot = undefined;
    for (const f of [...this.#subscribers]) f();
  }

  async #request(request: Parameters<Signal['request']>[0]): Promise<void> {
    if (!this.#signal) throw notConnected();
    await this.#signal.request(request);
  }

  async #muteOwn(id: string, muted: boolean): Promise<void> {
    const publication = this.local.publications.get(id);
    if (publication) this.#events.emit(muted ? 'trackMuted' : 'trackUnmuted', publication, this.local);
    await this.#wishes.mute(id, muted);
  }

  /** A moderator muted it. What is one's own wish on its way is not mistaken for that. */
  #mutedByOther({ id, muted }: { id: string; muted: boolean }): void {
    const publication = this.local.publications.get(id);
    if (!publication || !muted || publication.muted || this.#wishes.isMuting(id)) return;
    publication.silence();
    this.#events.emit('trackMuted', publication, this.local);
  }

  async #devicesChanged(): Promise<void> {
    this.#events.emit('devicesChanged', await listDevices().catch(() => []));
  }
}
