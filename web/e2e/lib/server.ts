// A real turnout server on ports of its own, and a proxy in front of it whose plug can be pulled.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Domain } from './domain.js';

const binary = resolve(import.meta.dirname, '../../../bin/turnout');
const ethernet = '10.9.0.1'; // the namespace's own, see in-namespace

export interface ServerOptions {
  port?: number;
  /** An address at which everything is served; without one, pages come from 127.0.0.1 and media from the namespace's Ethernet address. */
  host?: string;
  /** A name of the host, whose port 443 then serves everything. */
  domain?: Domain;
  flags?: string[];
  data?: string;
  /** The server runs in this namespace at this address, behind a NAT that is host and forwards the port of pages. */
  behind?: { namespace: string; address: string };
}

export class Server {
  readonly url: string;
  readonly data: string;
  readonly log: string[] = [];
  #process: ChildProcess | undefined;
  readonly #options: ServerOptions;
  readonly #port: number;
  readonly #plain: string;

  constructor(options: ServerOptions = {}) {
    this.#options = options;
    this.#port = options.port ?? 7880;
    this.#plain = `http://${options.host ?? '127.0.0.1'}:${this.#port}`;
    this.url = options.domain ? `https://${options.domain.name}` : this.#plain;
    this.data = options.data ?? mkdtempSync(join(tmpdir(), 'turnout-e2e-'));
  }

  async start(): Promise<void> {
    const { behind, domain } = this.#options;
    const page = behind?.address ?? this.#options.host ?? '127.0.0.1';
    const host = behind?.address ?? this.#options.host ?? ethernet;
    const flags = ['dev', '--listen', `${page}:${this.#port}`, '--data', this.data];
    if (this.#options.host || domain) flags.push('--insecure-lan');
    if (domain) {
      flags.push('--domain', domain.name, '--tls-listen', `${domain.address}:443`, '--tls-redirect', '');
      flags.push('--tls-cert', domain.cert, '--tls-key', domain.key);
    } else flags.push('--rtc-udp', `${host}:7882`, '--rtc-tcp', `${host}:7882`, '--turn-udp', `${host}:3478`, '--turn-tcp', `${host}:3478`);
    const command = [...(behind ? ['ip', 'netns', 'exec', behind.namespace] : []), binary, ...flags, ...(this.#options.flags ?? [])];
    const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.log.push(text));
    }
    const ended = { yes: false };
    child.once('exit', () => (ended.yes = true));
    for (let i = 0; i < 200; i++) {
      if (ended.yes) break;
      const ok = await fetch(`${this.#plain}/readyz`).then(
        (r) => r.ok,
        () => false,
      );
      if (ok) return;
      await pause(50);
    }
    throw new Error(`turnout did not start:\n${this.log.join('')}`);
  }

  /** A token that turnout dev gives to everyone who asks. */
  async token(room: string, identity: string): Promise<string> {
    const query = new URLSearchParams({ room, identity, name: identity });
    const response = await fetch(`${this.url}/api/token?${query.toString()}`);
    return ((await response.json()) as { token: string }).token;
  }

  /** A token by the binary's own command. */
  mint(room: string, identity: string, ...flags: string[]): string {
    const all = ['token', '--data', this.data, '--room', room, '--identity', identity, ...flags];
    return execFileSync(binary, all, { encoding: 'utf8' }).trim();
  }

  /** Sends SIGTERM and gives the exit code. */
  async stop(): Promise<number | null> {
    const code = await this.#end('SIGTERM');
    if (!this.#options.data) rmSync(this.data, { recursive: true, force: true });
    return code;
  }

  /** Pulls the plug. */
  kill(): Promise<number | null> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const done = new Promise<number | null>((end) => child.once('exit', (code) => end(code)));
    child.kill(signal);
    return done;
  }
}

/** Forwards TCP to a port; cut() breaks every connection and refuses new ones until mend(). */
export class Proxy {
  readonly url: string;
  readonly #server: NetServer;
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  #broken = false;

  constructor(port: number, to: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#server = createServer((client) => {
      if (this.#broken) return void client.destroy();
      const upstream = connect(to, '127.0.0.1');
      for (const [from, into] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        from.pipe(into);
        from.on('error', () => into.destroy());
        from.on('close', () => {
          into.destroy();
          this.#sockets.delete(from);
        });
      }
    });
  }

  start(): Promise<void> {
    return new Promise((ready) => this.#server.listen(this.#port, '127.0.0.1', ready));
  }

  cut(): void {
    this.#broken = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#broken = false;
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((done) => this.#server.close(done));
  }
}

export const pause = (ms: number): Promise<void> => new Promise((end) => setTimeout(end, ms));
