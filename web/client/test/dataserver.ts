// A server's end of one member's data, as data.md says: streams, and wires of which only the newest counts.
import { Data } from '../src/data.js';

/** Writes what a server says. Numbers below 2^53. */
export class Bytes {
  readonly all: number[] = [];
  n(...values: number[]): this {
    for (let value of values) {
      for (; value > 0x7f; value = Math.floor(value / 0x80)) this.all.push((value % 0x80) | 0x80);
      this.all.push(value);
    }
    return this;
  }
  s(text: string): this {
    return this.b(new TextEncoder().encode(text));
  }
  b(data: Uint8Array): this {
    this.n(data.length).all.push(...data);
    return this;
  }
  get frame(): Uint8Array {
    return Uint8Array.from([...new Bytes().n(this.all.length).all, ...this.all]);
  }
}

export const text = (s: string): Uint8Array => new TextEncoder().encode(s);
export const ack = (n: number): Uint8Array => new Bytes().n(3, n).frame;
export const message = (from: string, topic: string, said: string, type = 0x12): Uint8Array =>
  new Bytes().n(type).s(from).s(topic).s(said).frame;

/** Reads the first numbers of each frame of a wire message. */
export function read(bytes: Uint8Array): { type: number; body: number[]; inner: Uint8Array }[] {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  const out = [];
  while (at < bytes.length) {
    const length = number();
    const end = at + length;
    const inner = bytes.slice(at, end);
    const type = number();
    const body: number[] = [];
    while (at < end && body.length < 3) body.push(number());
    at = end;
    out.push({ type, body, inner });
  }
  return out;
}

/** The types of the frames in wire messages. */
export const typesOf = (sent: readonly Uint8Array[]): number[] => sent.flatMap((m) => read(m).map((f) => f.type));

interface Carrier {
  say(bytes: Uint8Array): void;
}

export class Server {
  stream = 77;
  received = 0;
  /** Messages that it has taken, whole. */
  readonly taken: string[] = [];
  /** Frames that it takes notice of, whole: type and body. */
  onFrame: (type: number, inner: Uint8Array) => void = () => undefined;
  #parts: Uint8Array[] = [];
  /** The newest wire; nothing else is heard. */
  #wire: Carrier | undefined;
  /** Hello was said on it; before that nothing is said. */
  #open = false;
  /** Counted frames that were said and not acknowledged. */
  #kept: { seq: number; bytes: Uint8Array }[] = [];
  #said = 0;

  attach(wire: Carrier): void {
    this.#wire = wire;
    this.#open = false;
  }

  detach(wire: Carrier): void {
    if (this.#wire === wire) this.#wire = undefined;
  }

  /** Says a counted frame on whichever wire there is, now or later. */
  say(frame: Uint8Array): void {
    this.#kept.push({ seq: ++this.#said, bytes: frame });
    if (this.#open) this.#wire?.say(frame);
  }

  acknowledge(): void {
    if (this.#open) this.#wire?.say(ack(this.received));
  }

  take(bytes: Uint8Array, from: Carrier): void {
    if (this.#wire !== from) return;
    for (const { type, body, inner } of read(bytes)) {
      if (type === 1) this.#hello(body[1] ?? 0, body[2] ?? 0, from);
      if (type === 3) this.#kept = this.#kept.filter((k) => k.seq > (body[0] ?? 0));
      if (type < 0x10) continue;
      this.received++;
      if (type === 0x13) this.#fragment(body[1] ?? 0, body[2] ?? 0, inner);
      else this.#frame(type, inner);
    }
  }

  #hello(stream: number, received: number, wire: Carrier): void {
    this.#open = true;
    wire.say(new Bytes().n(2, 1, this.stream, this.received, 100_000, 16_384, 4500).frame);
    if (stream !== this.stream) this.#kept = [];
    if (stream !== this.stream) this.#said = 0;
    this.#kept = this.#kept.filter((k) => k.seq > received);
    for (const { bytes } of this.#kept) wire.say(bytes);
  }

  #fragment(offset: number, total: number, inner: Uint8Array): void {
    if (offset === 0) this.#parts = [];
    this.#parts.push(bytesAfter(inner, 4));
    const size = this.#parts.reduce((sum, p) => sum + p.length, 0);
    const whole = Uint8Array.from(this.#parts.flatMap((p) => [...p]));
    if (size === total) this.#frame(whole[0] ?? 0, whole);
  }

  #frame(type: number, inner: Uint8Array): void {
    if (type === 0x11) this.taken.push(payload(inner));
    this.onFrame(type, inner);
  }
}

/** The last field of a body: bytes with a length, after so many numbers. */
export function bytesAfter(inner: Uint8Array, numbers: number): Uint8Array {
  let at = 0;
  for (let n = 0; n <= numbers; n++) while ((inner[at++] ?? 0) > 0x7f);
  return inner.slice(at);
}

function payload(inner: Uint8Array): string {
  const said = new TextDecoder().decode(inner);
  return /m\d*x*$/.exec(said)?.[0] ?? said;
}

/** One direction of a wire: in order, and on its way as long as it is held. */
export class Pipe {
  held = false;
  #underWay: (() => void)[] = [];
  push(arrive: () => void): void {
    if (this.held) this.#underWay.push(arrive);
    else arrive();
  }
  release(): void {
    this.held = false;
    for (let arrive = this.#underWay.shift(); arrive; arrive = this.#underWay.shift()) arrive();
  }
  clear(): void {
    this.held = false;
    this.#underWay = [];
  }
}

export class FakeChannel {
  readonly up = new Pipe();
  readonly down = new Pipe();
  readyState = 'connecting';
  bufferedAmount = 0;
  bufferedAmountLowThreshold = 0;
  binaryType = '';
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onbufferedamountlow: (() => void) | null = null;
  readonly sent: Uint8Array[] = [];
  take: (bytes: Uint8Array) => void = () => undefined;
  /** Nothing gets through any more, in either direction. */
  dead = false;
  closing: () => void = () => undefined;

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
    this.up.push(() => {
      if (!this.dead) this.take(bytes);
    });
  }
  close(): void {
    this.readyState = 'closed';
    this.up.clear();
    this.down.clear();
    if (!this.dead) this.closing();
  }
  open(): void {
    this.readyState = 'open';
    this.onopen?.();
  }
  drop(): void {
    this.readyState = 'closed';
    this.up.clear();
    this.down.clear();
    this.closing();
    this.onclose?.();
  }
  say(bytes: Uint8Array): void {
    const data = bytes.slice().buffer;
    this.down.push(() => {
      if (!this.dead) this.onmessage?.({ data });
    });
  }
  get types(): number[] {
    return typesOf(this.sent);
  }
}

/** The binary messages of a WebSocket. The server takes it for a wire from hello on, until it is closed. */
export class FakeSocketWire {
  readonly up = new Pipe();
  readonly down = new Pipe();
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  #wire: Carrier | undefined;

  constructor(
    readonly server: Server,
    readonly receive: (bytes: Uint8Array) => void,
  ) {}

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
    this.up.push(() => this.#take(bytes));
  }
  #take(bytes: Uint8Array): void {
    if (bytes.length === 0) return this.#close();
    if (!this.#wire && read(bytes)[0]?.type === 1) {
      this.#wire = { say: (b) => this.down.push(() => this.receive(b)) };
      this.server.attach(this.#wire);
    }
    if (this.#wire) this.server.take(bytes, this.#wire);
  }
  #close(): void {
    if (this.#wire) this.server.detach(this.#wire);
    this.#wire = undefined;
  }
  drop(): void {
    this.up.clear();
    this.down.clear();
    this.#close();
  }
  get types(): number[] {
    return typesOf(this.sent);
  }
}

export interface World {
  data: Data;
  server: Server;
  links: string[];
  reliable: FakeChannel;
  lossy: FakeChannel;
  socket: FakeSocketWire;
  /** Whether other channels open when they are asked for. */
  udp: boolean;
  /** Whether what is said on other channels is held at first. */
  slow: boolean;
  /** Makes channels, which open. */
  connect(): void;
}

export function world(webRTC = true): World {
  const links: string[] = [];
  const server = new Server();
  const socket: FakeSocketWire = new FakeSocketWire(server, (bytes) => w.data.socketMessage(bytes));
  const make = (opens: boolean): void => {
    const [reliable, lossy] = [(w.reliable = new FakeChannel()), (w.lossy = new FakeChannel())];
    reliable.up.held = w.slow;
    reliable.take = (m) => server.take(m, reliable);
    reliable.closing = () => server.detach(reliable);
    w.data.channels(reliable as unknown as RTCDataChannel, lossy as unknown as RTCDataChannel);
    if (!opens) return;
    server.attach(reliable);
    reliable.open();
    lossy.open();
  };
  const w: World = {
    data: new Data({ socket, webRTC, link: (state) => links.push(state), reopen: () => make(w.udp) }),
    server,
    links,
    reliable: new FakeChannel(),
    lossy: new FakeChannel(),
    socket,
    udp: true,
    slow: false,
    connect: () => make(true),
  };
  return w;
}
