import { type CallStats, listDevices, type Room, type RoomSnapshot } from '@turnout/client';
import { type ReactElement, useEffect, useState } from 'react';
import { recall, remember } from '../storage.js';
import { SelectField } from '../ui/Field.js';
import { ThemeToggle } from '../ui/ThemeToggle.js';
import css from './DevicesPanel.module.css';

export interface DevicesPanelProps {
  room: Room;
  snapshot: RoomSnapshot;
  onFailed: (thrown: unknown) => void;
}

const kinds = [
  { kind: 'audioinput', name: 'microphone', label: 'Microphone' },
  { kind: 'videoinput', name: 'camera', label: 'Camera' },
  { kind: 'audiooutput', name: 'speaker', label: 'Speaker' },
] as const;

const keys = [
  ['M', 'microphone'],
  ['V', 'camera'],
  ['C', 'chat'],
  ['P', 'people'],
  ['N', 'notes'],
  ['Esc', 'close'],
] as const;

export function DevicesPanel({ room, snapshot, onFailed }: DevicesPanelProps): ReactElement {
  const devices = useDevices(room);
  const stats = useStats(room);

  function pick(kind: MediaDeviceKind, name: string, id: string): void {
    remember(`${name}Id`, id);
    void room.switchDevice(kind, id).catch(onFailed);
  }

  function inUse(name: string): string | undefined {
    const publication = snapshot.local.publications.find((p) => p.source === name);
    return publication?.media?.getSettings().deviceId ?? recall(`${name}Id`);
  }

  return (
    <div className={css['panel']}>
      {kinds.map(({ kind, name, label }) => {
        const choices = devices.filter((d) => d.kind === kind && d.label !== '').map((d) => ({ id: d.deviceId, label: d.label }));
        // Firefox and Safari let pages choose no loudspeaker.
        if (kind === 'audiooutput' && choices.length === 0) return null;
        return (
          <SelectField
            key={kind}
            label={label}
            data-testid={`${name}-select`}
            choices={choices}
            value={inUse(name) ?? choices[0]?.id}
            empty={`No ${name} to choose`}
            onPick={(id) => pick(kind, name, id)}
          />
        );
      })}
      <section>
        <h3>Connection</h3>
        <dl className={css['stats']}>
          <dt>Path</dt>
          <dd>{pathWords(stats)}</dd>
          <dt>Round trip</dt>
          <dd>{stats?.rttMs === undefined ? '–' : `${Math.round(stats.rttMs)} ms`}</dd>
          <dt>Sending</dt>
          <dd>{rate(stats?.upKbps)}</dd>
          <dt>Receiving</dt>
          <dd>{rate(stats?.downKbps)}</dd>
        </dl>
      </section>
      <section className={css['row']}>
        <h3>Colours</h3>
        <ThemeToggle />
      </section>
      <section className={css['keyboard']}>
        <h3>Keys</h3>
        <ul className={css['keys']}>
          {keys.map(([key, what]) => (
            <li key={key}>
              <kbd>{key}</kbd> {what}
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}

function useDevices(room: Room): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => {
    let stopped = false;
    void listDevices().then(
      (found) => {
        if (!stopped) setDevices(found);
      },
      () => undefined,
    );
    const off = room.on('devicesChanged', setDevices);
    return () => {
      stopped = true;
      off();
    };
  }, [room]);
  return devices;
}

const everyMs = 2000;

function useStats(room: Room): CallStats | undefined {
  const [stats, setStats] = useState<CallStats>();
  useEffect(() => {
    const look = (): void => void room.getStats().then(setStats, () => setStats(undefined));
    look();
    const timer = setInterval(look, everyMs);
    return () => clearInterval(timer);
  }, [room]);
  return stats;
}

function pathWords(stats: CallStats | undefined): string {
  if (!stats?.candidate) return '–';
  const protocol = stats.protocol?.toUpperCase() ?? '';
  return stats.candidate === 'relay' ? `Relayed, ${protocol}` : `Direct, ${protocol}`;
}

function rate(kbps: number | undefined): string {
  if (kbps === undefined) return '–';
  return kbps < 1000 ? `${Math.round(kbps)} kbit/s` : `${(kbps / 1000).toFixed(1)} Mbit/s`;
}
