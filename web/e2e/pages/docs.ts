// A page that edits a document of a room: with the stock client of y-websocket, that of Hocuspocus, or the SDK.
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { connect } from '@turnout/client';
import { TurnoutProvider } from '@turnout/yjs';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

export type Kind = 'y-websocket' | 'hocuspocus' | 'sdk';

export interface DocPage {
  open(kind: Kind, room: string, doc: string): Promise<void>;
  insert(text: string): void;
  text(): string;
  /** The names of who is here. */
  present(): string[];
  /** Changes that are not on disk, where the client knows. */
  unsynced(): number | undefined;
  /** How often an RTCPeerConnection was made. */
  connections(): number;
}

declare global {
  interface Window {
    page: DocPage;
  }
}

interface Provider {
  awareness: { getStates(): Map<number, Record<string, unknown>>; setLocalStateField(field: string, value: unknown): void } | null;
  unsyncedChanges?: number;
}

const doc = new Y.Doc();
const text = doc.getText('text');
const wsUrl = window.location.origin.replace(/^http/, 'ws');
let provider: Provider | undefined;
let connections = 0;

const Native = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Native {
  constructor(config?: RTCConfiguration) {
    super(config);
    connections++;
  }
};

async function tokenFor(room: string, name: string): Promise<string> {
  const answer = await fetch(`/api/token?${new URLSearchParams({ room, identity: name, name })}`);
  return ((await answer.json()) as { token: string }).token;
}

window.page = {
  open: async (kind, room, name) => {
    const token = await tokenFor(room, kind);
    switch (kind) {
      case 'y-websocket':
        provider = new WebsocketProvider(`${wsUrl}/y/${room}`, name, doc, { params: { token }, disableBc: true });
        break;
      case 'hocuspocus': {
        const websocketProvider = new HocuspocusProviderWebsocket({ url: `${wsUrl}/hocuspocus/${room}` });
        const own = new HocuspocusProvider({ websocketProvider, name, document: doc, token });
        own.attach();
        provider = own;
        break;
      }
      case 'sdk':
        provider = new TurnoutProvider(await connect({ url: window.location.origin, token, media: false }), name, doc);
        break;
      default:
        kind satisfies never;
    }
    provider?.awareness?.setLocalStateField('name', kind);
  },
  insert: (added) => text.insert(text.length, added),
  text: () => text.toJSON(),
  present: () =>
    [...(provider?.awareness?.getStates().values() ?? [])].flatMap(({ name }) => (typeof name === 'string' ? [name] : [])).sort(),
  unsynced: () => provider?.unsyncedChanges,
  connections: () => connections,
};
