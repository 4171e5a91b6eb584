// Firefox's Web Audio stands still on a machine without a sound card: a PulseAudio of the test's own, with a null sink, is the card.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pause } from './server.js';

export class SoundCard {
  readonly #folder = mkdtempSync(join(tmpdir(), 'turnout-sound-'));
  readonly #socket = join(this.#folder, 'socket');
  #process: ChildProcess | undefined;

  /** The environment that leads a program to this card. */
  get env(): Record<string, string> {
    return { PULSE_SERVER: `unix:${this.#socket}` };
  }

  async start(): Promise<void> {
    const modules = ['module-null-sink', `module-native-protocol-unix auth-anonymous=1 socket=${this.#socket}`];
    const flags = ['--daemonize=no', '-n', '--exit-idle-time=-1', ...modules.flatMap((m) => ['-L', m])];
    const home = { HOME: this.#folder, XDG_RUNTIME_DIR: this.#folder };
    this.#process = spawn('pulseaudio', flags, { stdio: 'ignore', env: { ...process.env, ...home } });
    this.#process.once('error', () => (this.#process = undefined));
    for (let i = 0; i < 100 && !existsSync(this.#socket); i++) await pause(50);
    if (!existsSync(this.#socket)) throw new Error('pulseaudio did not start: is the package pulseaudio installed?');
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child && child.exitCode === null) {
      const gone = new Promise((end) => child.once('exit', end));
      child.kill();
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
