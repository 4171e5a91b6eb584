// Measures how loud everyone is, a few times a second.
import { createLevelMeter, type LevelMeter } from './level.js';
import type { LocalParticipant } from './local.js';
import type { RemoteParticipant } from './participant.js';
import { Speakers } from './speakers.js';

const everyMs = 150;
// A source that was last heard longer ago is silent.
const freshMs = 400;

export class Listening {
  readonly #local: LocalParticipant;
  readonly #remotes: () => Iterable<RemoteParticipant>;
  readonly #changed: (sids: readonly string[]) => void;
  readonly #speakers = new Speakers();
  #meter: { media: MediaStreamTrack; meter: LevelMeter } | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(local: LocalParticipant, remotes: () => Iterable<RemoteParticipant>, changed: (sids: readonly string[]) => void) {
    this.#local = local;
    this.#remotes = remotes;
    this.#changed = changed;
  }

  start(): void {
    this.stop();
    this.#timer = setInterval(() => this.#listen(), everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#meter?.meter.stop();
    this.#meter = undefined;
  }

  #listen(): void {
    const levels = new Map<string, number>();
    for (const participant of this.#remotes()) {
      const microphone = participant.publication('microphone');
      if (!microphone?.track || microphone.muted) continue;
      levels.set(participant.sid, received(microphone.track.receiver));
    }
    const own = this.#ownLevel();
    if (own !== undefined) levels.set(this.#local.sid, own);
    const speaking = this.#speakers.update(performance.now(), levels);
    if (speaking) this.#changed(speaking);
  }

  #ownLevel(): number | undefined {
    const microphone = this.#local.publication('microphone');
    const media = microphone && !microphone.muted ? microphone.track.media : undefined;
    if (this.#meter && this.#meter.media !== media) {
      this.#meter.meter.stop();
      this.#meter = undefined;
    }
    if (!media || typeof AudioContext === 'undefined') return undefined;
    this.#meter ??= { media, meter: createLevelMeter(media) };
    return this.#meter.meter.level();
  }
}

function received(receiver: RTCRtpReceiver): number {
  const now = performance.timeOrigin + performance.now();
  let loudest = 0;
  for (const source of receiver.getSynchronizationSources()) {
    // Browsers count the time from the page's start or from 1970.
    const age = Math.min(Math.abs(now - source.timestamp), Math.abs(performance.now() - source.timestamp));
    if (age < freshMs) loudest = Math.max(loudest, source.audioLevel ?? 0);
  }
  return loudest;
}
