// Programs that are no browsers and speak WHIP or WHEP, in ../programs.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join, resolve } from 'node:path';
import { pause } from './server.js';

const folder = resolve(import.meta.dirname, '../programs');

/** What a program tells of itself, one object a line. */
export interface Told {
  state?: string;
  frames?: number;
  rgb?: [number, number, number];
  hz?: number;
  level?: number;
  deleted?: number;
}

export class Program {
  readonly told: Told[] = [];
  readonly #process: ChildProcess;
  readonly #errors: string[] = [];
  readonly #ended: Promise<number | null>;

  /** Debian's own Python: another one does not see Debian's packages. */
  constructor(script: string, args: string[], url: string, token: string) {
    this.#process = spawn('/usr/bin/python3', [join(folder, script), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, TURNOUT_URL: url, TURNOUT_TOKEN: token, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' },
    });
    const { stdout, stderr } = this.#process;
    if (stdout) createInterface(stdout).on('line', (line) => this.told.push(JSON.parse(line) as Told));
    stderr?.setEncoding('utf8').on('data', (text: string) => this.#errors.push(text));
    this.#ended = new Promise((end) => this.#process.once('exit', (code) => end(code)));
  }

  /** Waits until it has told something that fits. */
  async tells(what: string, fits: (told: Told) => boolean, ms = 20_000): Promise<void> {
    const end = Date.now() + ms;
    while (Date.now() < end) {
      if (this.told.some(fits)) return;
      if (this.#process.exitCode !== null) break;
      await pause(100);
    }
    throw new Error(`the program never told ${what}; the last it told: ${JSON.stringify(this.told.slice(-5))} ${this.#errors.join('')}`);
  }

  /** Has it end its session, and gives the status of its DELETE. */
  async stop(): Promise<number | undefined> {
    this.#process.stdin?.end();
    const late = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    const code = await this.#ended;
    clearTimeout(late);
    if (code !== 0) throw new Error(`the program ended with ${code}: ${this.#errors.join('')}`);
    return this.told.find((t) => t.deleted !== undefined)?.deleted;
  }
}
