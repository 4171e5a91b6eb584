import 'fake-indexeddb/auto';
import { expect, test, vi } from 'vitest';
import { IndexeddbPersistence } from 'y-indexeddb';
import * as Y from 'yjs';
import { TurnoutProvider } from '../src/index.js';
import { FakeRoom, Server } from './fakes.js';

test('what was changed offline in a page that was closed reaches the server with the next page', async () => {
  const server = new Server();
  const offline = new FakeRoom(server);
  offline.drop();
  const doc = new Y.Doc();
  const store = new IndexeddbPersistence('notes', doc);
  await store.whenSynced;
  const provider = new TurnoutProvider(offline, 'notes', doc);
  doc.getText('t').insert(0, 'written in a tunnel');
  expect(provider.unsyncedChanges).toBe(1);
  provider.destroy();
  await store.destroy();

  const next = new Y.Doc();
  const room = new FakeRoom(server);
  const again = new TurnoutProvider(room, 'notes', next); // before the store has loaded
  const kept = new IndexeddbPersistence('notes', next);
  await kept.whenSynced;
  await vi.waitFor(() => expect(again.synced && again.unsyncedChanges === 0).toBe(true));
  expect(server.text('notes')).toBe('written in a tunnel');
  again.destroy();
  await kept.destroy();
});
