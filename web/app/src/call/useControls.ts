import type { Room } from '@turnout/client';
import { useState } from 'react';
import { recall, remember } from '../storage.js';
import { useRoom } from './useRoom.js';

export interface Control {
  on: boolean;
  /** Between the click and the device's answer. */
  busy: boolean;
  /** Whether the participant may, and the browser can. */
  possible: boolean;
  toggle: () => void;
}

export interface Controls {
  microphone: Control;
  camera: Control;
  screen: Control;
}

/** The three things one publishes. What goes wrong is told to failed. */
export function useControls(room: Room, failed: (thrown: unknown) => void): Controls {
  const { local, permissions } = useRoom(room);
  const [busy, setBusy] = useState<readonly string[]>([]);
  const may = (source: string): boolean =>
    permissions.publish && (permissions.sources.length === 0 || permissions.sources.includes(source));
  const isOn = (source: string): boolean => local.publications.some((p) => p.source === source && !p.muted);
  const device = (kind: string): MediaTrackConstraints | undefined => {
    const id = recall(`${kind}Id`);
    return id === undefined ? undefined : { deviceId: { ideal: id } };
  };

  function control(source: 'microphone' | 'camera' | 'screen', can: boolean, set: (on: boolean) => Promise<unknown>): Control {
    const on = isOn(source);
    const waiting = busy.includes(source);
    return {
      on,
      busy: waiting,
      possible: can && may(source),
      toggle: () => {
        if (waiting || !can || !may(source)) return;
        setBusy((now) => [...now, source]);
        if (source !== 'screen') remember(source, on ? 'off' : undefined);
        void set(!on)
          .catch(failed)
          .finally(() => setBusy((now) => now.filter((s) => s !== source)));
      },
    };
  }

  return {
    microphone: control('microphone', true, (on) => room.local.setMicrophone(on, device('microphone'))),
    camera: control('camera', true, (on) => room.local.setCamera(on, device('camera'))),
    screen: control('screen', canShare(), (on) => room.local.setScreenShare(on, { audio: true }).catch(ignoreCancelled)),
  };
}

/** Phones cannot. */
function canShare(): boolean {
  const { mediaDevices } = navigator as { mediaDevices?: Partial<MediaDevices> };
  return mediaDevices?.getDisplayMedia !== undefined;
}

/** Who closes the browser's picker has changed their mind. */
function ignoreCancelled(thrown: unknown): void {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
  if (code !== 'media.denied') throw thrown;
}
