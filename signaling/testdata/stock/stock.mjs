// The stock clients, steered over standard input and output: one JSON request a line, one JSON reply each.
import { createInterface } from 'node:readline';
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import WebSocket from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const clients = new Map();
const sockets = new Map(); // of Hocuspocus, by name

function openY({ url, room, doc: name, token, protocols }) {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${url}/y/${room}`, name, doc, {
    params: token === undefined ? {} : { token },
    protocols: protocols ?? [],
    WebSocketPolyfill: WebSocket,
    disableBc: true,
  });
  const seen = { closed: null, closes: [] };
  provider.on('closed', (e) => (seen.closed = e.code));
  provider.on('connection-close', (e) => seen.closes.push(e?.code ?? 0));
  return {
    doc,
    awareness: provider.awareness,
    state: () => ({ synced: provider.synced, connected: provider.wsconnected, ...seen }),
    disconnect: () => provider.disconnect(),
    connect: () => provider.connect(),
    destroy: () => provider.destroy(),
  };
}

function openHocuspocus({ url, room, doc: name, token, socket }) {
  let websocketProvider = sockets.get(socket);
  if (websocketProvider === undefined) {
    websocketProvider = new HocuspocusProviderWebsocket({ url: `${url}/hocuspocus/${room}`, WebSocketPolyfill: WebSocket, delay: 100, minDelay: 50 });
    sockets.set(socket, websocketProvider);
  }
  const seen = { denied: null, closedReason: null, closes: [], stateless: [] };
  const doc = new Y.Doc();
  const provider = new HocuspocusProvider({
    websocketProvider,
    name,
    document: doc,
    token,
    onAuthenticationFailed: ({ reason }) => (seen.denied = reason),
    onClose: ({ event }) => {
      seen.closes.push(event.code ?? 0);
      seen.closedReason = event.reason ?? null;
    },
    onStateless: ({ payload }) => seen.stateless.push(payload),
  });
  provider.attach();
  return {
    doc,
    awareness: provider.awareness,
    state: () => ({
      synced: provider.synced,
      connected: provider.isAuthenticated,
      unsynced: provider.unsyncedChanges,
      scope: provider.authorizedScope,
      ...seen,
    }),
    disconnect: () => websocketProvider.disconnect(),
    connect: () => websocketProvider.connect(),
    stateless: (text) => provider.sendStateless(text),
    destroy: () => provider.destroy(),
  };
}

const ops = {
  open: (r) => void clients.set(r.id, r.kind === 'y' ? openY(r) : openHocuspocus(r)),
  insert: (r, c) => void c.doc.getText('t').insert(c.doc.getText('t').length, r.text),
  aware: (r, c) => void c.awareness.setLocalState(r.state),
  disconnect: (_, c) => void c.disconnect(),
  connect: (_, c) => void c.connect(),
  stateless: (r, c) => void c.stateless(r.text),
  destroy: (_, c) => void c.destroy(),
  state: (_, c) => ({
    ...c.state(),
    text: c.doc.getText('t').toString(),
    aware: [...c.awareness.getStates().entries()].filter(([client]) => client !== c.doc.clientID).map(([, state]) => state),
  }),
};

console.warn = () => {}; // y-websocket tells of a missing permission that way
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let reply;
  try {
    reply = ops[request.op](request, clients.get(request.id)) ?? {};
  } catch (e) {
    reply = { error: String(e) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
process.exit(0);
