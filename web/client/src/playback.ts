// The elements that show and play tracks. Browsers refuse to play sound before a click: that is noticed here, and mended in a click.

export class Playback {
  readonly #elements = new Map<HTMLMediaElement, MediaStreamTrack>();
  readonly #refused = new Set<HTMLMediaElement>();
  readonly #changed: (possible: boolean) => void;
  #sink = '';

  constructor(changed: (possible: boolean) => void) {
    this.#changed = changed;
  }

  attach(media: MediaStreamTrack, element: HTMLMediaElement = document.createElement(media.kind as 'audio' | 'video')): HTMLMediaElement {
    this.#elements.set(element, media);
    element.autoplay = true;
    if (element instanceof HTMLVideoElement) {
      element.playsInline = true;
      element.muted = true; // sound comes from audio tracks alone
    }
    element.srcObject = new MediaStream([media]);
    if (media.kind === 'audio' && this.#sink) void this.#useSink(element);
    void this.#play(element);
    return element;
  }

  /** Takes the track off an element, or off all that show it. */
  detach(media: MediaStreamTrack, element?: HTMLMediaElement): void {
    for (const [at, shown] of this.#elements) {
      if (shown !== media || (element && at !== element)) continue;
      this.#elements.delete(at);
      this.#forgive(at);
      at.srcObject = null;
    }
  }

  /** To be called in a click. */
  async start(): Promise<void> {
    await Promise.all([...this.#refused].map((element) => this.#play(element)));
  }

  /** Plays sound on another device. */
  async setSink(deviceId: string): Promise<void> {
    this.#sink = deviceId;
    await Promise.all([...this.#elements].filter(([, media]) => media.kind === 'audio').map(([element]) => this.#useSink(element)));
  }

  detachAll(): void {
    for (const [element, media] of [...this.#elements]) this.detach(media, element);
  }

  async #useSink(element: HTMLMediaElement): Promise<void> {
    if ('setSinkId' in element) await element.setSinkId(this.#sink);
  }

  async #play(element: HTMLMediaElement): Promise<void> {
    try {
      await element.play();
      this.#forgive(element);
    } catch (error) {
      // Another source, or none, is no refusal.
      if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || !this.#elements.has(element)) return;
      this.#refused.add(element);
      this.#changed(false);
    }
  }

  #forgive(element: HTMLMediaElement): void {
    if (this.#refused.delete(element) && this.#refused.size === 0) this.#changed(true);
  }
}
