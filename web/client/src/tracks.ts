// Tracks: what a camera, a microphone or a screen gives, and what comes from others.
import { asDeviceError } from './devices.js';
import type { Playback } from './playback.js';
import type { Source } from './protocol.js';

/** A track of this browser, published or not. */
export class LocalTrack {
  readonly kind: 'audio' | 'video';
  readonly source: Source;
  #media: MediaStreamTrack;
  #constraints: MediaTrackConstraints;
  #elements = new Set<HTMLMediaElement>();
  /** Set by the publication that sends this track. */
  #replaced: ((media: MediaStreamTrack) => Promise<void>) | undefined;
  #ended: (() => void) | undefined;

  constructor(
    media: MediaStreamTrack,
    source: Source = media.kind === 'audio' ? 'microphone' : 'camera',
    constraints: MediaTrackConstraints = {},
  ) {
    this.kind = media.kind === 'audio' ? 'audio' : 'video';
    this.source = source;
    this.#media = media;
    this.#constraints = constraints;
    this.#watch(media);
  }

  get media(): MediaStreamTrack {
    return this.#media;
  }

  /** @internal */
  onReplaced(f: ((media: MediaStreamTrack) => Promise<void>) | undefined): void {
    this.#replaced = f;
  }

  /** @internal Calls f when the device is gone, and not when stop let go of it. */
  onEnded(f: (() => void) | undefined): void {
    this.#ended = f;
  }

  /** Takes the track from the device again, with other constraints when given. Everyone sees the new one. */
  async restart(constraints: MediaTrackConstraints = this.#constraints): Promise<void> {
    const { enabled } = this.#media;
    // Many phones cannot have two cameras open.
    this.#media.stop();
    const media = await capture(this.kind, constraints);
    media.enabled = enabled;
    this.#constraints = constraints;
    this.#media = media;
    this.#watch(media);
    for (const element of this.#elements) element.srcObject = new MediaStream([media]);
    await this.#replaced?.(media);
  }

  /** What the track was asked from the device with. */
  get constraints(): MediaTrackConstraints {
    return this.#constraints;
  }

  attach(element: HTMLMediaElement = document.createElement(this.kind)): HTMLMediaElement {
    this.#elements.add(element);
    element.autoplay = true;
    element.muted = true; // one's own voice is not to be heard
    if (element instanceof HTMLVideoElement) element.playsInline = true;
    element.srcObject = new MediaStream([this.#media]);
    return element;
  }

  detach(element?: HTMLMediaElement): void {
    for (const at of element ? [element] : [...this.#elements]) {
      if (this.#elements.delete(at)) at.srcObject = null;
    }
  }

  /** Lets go of the device. */
  stop(): void {
    this.#media.stop();
  }

  #watch(media: MediaStreamTrack): void {
    media.addEventListener('ended', () => {
      if (this.#media === media) this.#ended?.();
    });
  }
}

async function capture(kind: 'audio' | 'video', constraints: MediaTrackConstraints): Promise<MediaStreamTrack> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: constraints });
    const [track] = stream.getTracks();
    if (!track) throw new DOMException('the device gave no track', 'NotFoundError');
    return track;
  } catch (error) {
    throw asDeviceError(error, kind);
  }
}

/** A track of another participant, as long as it is shown on a slot. */
export class RemoteTrack {
  readonly kind: 'audio' | 'video';
  readonly media: MediaStreamTrack;
  /** @internal */
  readonly receiver: RTCRtpReceiver;
  readonly #playback: Playback;

  constructor(receiver: RTCRtpReceiver, playback: Playback) {
    this.receiver = receiver;
    this.media = receiver.track;
    this.kind = this.media.kind === 'audio' ? 'audio' : 'video';
    this.#playback = playback;
  }

  /** Shows the track in an element, or in one made for it. */
  attach(element?: HTMLMediaElement): HTMLMediaElement {
    return this.#playback.attach(this.media, element);
  }

  /** Takes it off an element, or off all. */
  detach(element?: HTMLMediaElement): void {
    this.#playback.detach(this.media, element);
  }
}
