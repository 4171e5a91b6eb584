// Camera and microphone before a call. It is a store outside of React, because its tracks outlive the page that shows them.
import { createTracks, listDevices, type LocalTrack, TurnoutError } from '@turnout/client';
import { recall, remember } from '../storage.js';

export type Kind = 'camera' | 'microphone';

export interface Half {
  /** Whether it shall be on in the call. */
  readonly wanted: boolean;
  readonly asking: boolean;
  readonly track: LocalTrack | undefined;
  readonly error: TurnoutError | undefined;
}

export interface PreviewState {
  readonly camera: Half;
  readonly microphone: Half;
  readonly devices: readonly MediaDeviceInfo[];
}

const nothing: Half = { wanted: true, asking: false, track: undefined, error: undefined };

export class Preview {
  #state: PreviewState = {
    camera: { ...nothing, wanted: recall('camera') !== 'off' },
    microphone: { ...nothing, wanted: recall('microphone') !== 'off' },
    devices: [],
  };
  readonly #listeners = new Set<() => void>();
  /** Who gets the tracks once the call has begun. */
  #to: ((track: LocalTrack) => void) | undefined;
  /** Counts starts and stops: what was asked for before is let go of. */
  #turn = 0;

  subscribe = (f: () => void): (() => void) => {
    this.#listeners.add(f);
    return () => void this.#listeners.delete(f);
  };

  getSnapshot = (): PreviewState => this.#state;

  start(): void {
    this.#to = undefined;
    const kinds = (['camera', 'microphone'] as const).filter((kind) => this.#state[kind].wanted);
    void this.#ask(kinds);
    void this.refreshDevices();
  }

  stop(): void {
    this.#turn++;
    for (const kind of ['camera', 'microphone'] as const) {
      this.#state[kind].track?.stop();
      this.#set(kind, { track: undefined, asking: false });
    }
  }

  /** Gives the tracks away, also those that a person has yet to allow. */
  handOver(to: (track: LocalTrack) => void): void {
    this.#to = to;
    for (const kind of ['camera', 'microphone'] as const) {
      const { track } = this.#state[kind];
      this.#set(kind, { track: undefined });
      if (track) to(track);
    }
  }

  async toggle(kind: Kind): Promise<void> {
    const { wanted, track } = this.#state[kind];
    remember(kind, wanted ? 'off' : undefined);
    if (wanted && !track && this.#state[kind].error) return this.#ask([kind]); // it was wanted and failed: try again
    this.#set(kind, { wanted: !wanted, error: undefined });
    if (!wanted) return this.#ask([kind]);
    track?.stop();
    this.#set(kind, { track: undefined });
  }

  async pick(kind: Kind, deviceId: string): Promise<void> {
    remember(`${kind}Id`, deviceId);
    this.#state[kind].track?.stop();
    this.#set(kind, { wanted: true, track: undefined });
    await this.#ask([kind]);
  }

  async refreshDevices(): Promise<void> {
    const devices = await listDevices().catch(() => []);
    this.#change({ ...this.#state, devices });
  }

  async #ask(kinds: readonly Kind[]): Promise<void> {
    if (kinds.length === 0) return;
    const turn = this.#turn;
    for (const kind of kinds) this.#set(kind, { asking: true, error: undefined });
    try {
      const tracks = await createTracks({
        ...(kinds.includes('camera') && { video: device('camera') }),
        ...(kinds.includes('microphone') && { audio: device('microphone') }),
      });
      for (const track of tracks) this.#take(track, turn);
      for (const kind of kinds) this.#set(kind, { asking: false });
    } catch (thrown) {
      if (this.#turn !== turn) return;
      await this.#refused(kinds, thrown);
    }
    await this.refreshDevices();
  }

  /** With one of the two missing or forbidden the other one may still be had. */
  async #refused(kinds: readonly Kind[], thrown: unknown): Promise<void> {
    const error = thrown instanceof TurnoutError ? thrown : new TurnoutError('media.notFound', String(thrown));
    if (kinds.length < 2) {
      for (const kind of kinds) this.#set(kind, { asking: false, error });
      return;
    }
    for (const kind of kinds) {
      // Who has said no to both is not asked again.
      if (error.code === 'media.denied' && !(await mayAsk(kind))) this.#set(kind, { asking: false, error });
      else await this.#ask([kind]);
    }
  }

  #take(track: LocalTrack, turn: number): void {
    const kind = track.kind === 'video' ? 'camera' : 'microphone';
    if (this.#turn !== turn || !this.#state[kind].wanted) return track.stop();
    if (this.#to) return this.#to(track);
    this.#state[kind].track?.stop();
    this.#set(kind, { track });
  }

  #set(kind: Kind, change: Partial<Half>): void {
    this.#change({ ...this.#state, [kind]: { ...this.#state[kind], ...change } });
  }

  #change(state: PreviewState): void {
    this.#state = state;
    for (const f of [...this.#listeners]) f();
  }
}

/** The device that was chosen last, if it is still there. */
function device(kind: Kind): boolean | MediaTrackConstraints {
  const id = recall(`${kind}Id`);
  return id === undefined ? true : { deviceId: { ideal: id } };
}

async function mayAsk(kind: Kind): Promise<boolean> {
  try {
    const both = await Promise.all(
      [kind, kind === 'camera' ? 'microphone' : 'camera'].map((name) => navigator.permissions.query({ name: name as PermissionName })),
    );
    const [own, other] = both.map((status) => status.state);
    return own !== 'denied' && other === 'denied';
  } catch {
    return false;
  }
}
