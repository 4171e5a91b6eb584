// Somebody who speaks signaling over a WebSocket of their own, from a page.
import type { Page } from './browser.js';

export interface Refusal {
  code: string;
  close: number;
}

/** Joins with a token, or none, and tells how that was refused. */
export function refusalOf(page: Page, url: string, token: string | undefined): Promise<Refusal> {
  return page.evaluate(joinBySocket, { url, token });
}

export const misbehaviours = ['malformed', 'unknown', 'large', 'binary', 'flood'] as const;
export type Misbehaviour = (typeof misbehaviours)[number];

/** Joins and sends what it should not; gives the codes that it was told and that of the close. */
export function endOf(page: Page, url: string, token: string, kind: Misbehaviour): Promise<string> {
  return page.evaluate(misbehave, { url, token, kind });
}

// The functions below run in the page.

function joinBySocket({ url, token }: { url: string; token: string | undefined }): Promise<Refusal> {
  return new Promise((done) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'turnout.v1');
    let code = '';
    socket.onopen = () =>
      socket.send(JSON.stringify({ t: 'join', id: 1, d: { protocol: 1, token, client: { name: 'test', version: '1' } } }));
    socket.onmessage = (message) => {
      const frame = JSON.parse(String(message.data)) as { t: string; d?: { code?: string } };
      if (frame.t === 'error') code = frame.d?.code ?? '';
    };
    socket.onclose = (event) => done({ code, close: event.code });
  });
}

function misbehave({ url, token, kind }: { url: string; token: string; kind: Misbehaviour }): Promise<string> {
  const send: Record<Misbehaviour, (socket: WebSocket) => void> = {
    malformed: (s) => s.send('{"t":'),
    unknown: (s) => s.send('{"t":"teleport","id":2,"d":{}}'),
    large: (s) => s.send('x'.repeat(10_000_000)),
    binary: (s) => s.send(new Uint8Array(512)), // no frame has a length of 0
    flood: (s) => {
      for (let i = 0; i < 5000; i++) s.send('{"t":"ping","d":{"n":0}}');
    },
  };
  return new Promise((done) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'turnout.v1');
    socket.binaryType = 'arraybuffer';
    const errors = new Set<string>();
    const timer = setTimeout(() => socket.close(1000), 3000);
    socket.onmessage = (message) => {
      if (message.data instanceof ArrayBuffer) {
        const code = /data\.\w+/.exec(new TextDecoder().decode(message.data));
        if (code) errors.add(code[0]);
        return;
      }
      const frame = JSON.parse(String(message.data)) as { t: string; d?: { code?: string } };
      if (frame.t === 'joined') send[kind](socket);
      if (frame.t === 'error') errors.add(frame.d?.code ?? '');
    };
    socket.onclose = (event) => {
      clearTimeout(timer);
      done([...errors, String(event.code)].join(' '));
    };
    socket.onopen = () =>
      socket.send(JSON.stringify({ t: 'join', id: 1, d: { protocol: 1, token, client: { name: 'test', version: '1' } } }));
  });
}
