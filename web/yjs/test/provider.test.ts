import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { type ProviderOptions, TurnoutProvider } from '../src/index.js';
import { FakeRoom, Server, settle } from './fakes.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Page {
  room: FakeRoom;
  doc: Y.Doc;
  provider: TurnoutProvider;
  events: string[];
  type(text: string): void;
  readonly text: string;
}

async function page(
  server: Server,
  options?: ProviderOptions,
  prepare: (room: FakeRoom, doc: Y.Doc) => void = () => undefined,
): Promise<Page> {
  const room = new FakeRoom(server);
  const doc = new Y.Doc();
  prepare(room, doc);
  const provider = new TurnoutProvider(room, 'notes', doc, options);
  const events: string[] = [];
  provider.on('status', ({ status }) => events.push(status));
  provider.on('sync', (synced) => events.push(`sync ${synced}`));
  provider.on('unsyncedChanges', (n) => events.push(`unsynced ${n}`));
  provider.on('readOnly', (yes) => events.push(`read-only ${yes}`));
  provider.on('denied', ({ error }) => events.push(`denied ${error.code}`));
  provider.on('error', (error) => events.push(`error ${error.code}`));
  await settle();
  const text = doc.getText('t');
  return {
    room,
    doc,
    provider,
    events,
    type: (said) => text.insert(text.length, said),
    get text() {
      return text.toJSON();
    },
  };
}

describe('a provider', () => {
  test('syncs, and carries changes to others', async () => {
    const server = new Server();
    const ada = await page(server);
    const bob = await page(server);
    expect(ada.events).toEqual(['connected', 'sync true']);
    ada.type('hello');
    await settle();
    expect(bob.text).toBe('hello');
    await ada.provider.whenSynced;
  });

  test('counts changes until they are on disk, and not only received', async () => {
    const server = new Server();
    const ada = await page(server);
    server.holding = true;
    ada.type('a');
    ada.type('b');
    await settle();
    expect(server.text('notes')).toBe('ab');
    expect(ada.provider.unsyncedChanges).toBe(2);
    expect(ada.provider.hasUnsyncedChanges).toBe(true);
    server.release();
    await settle();
    expect(ada.events.slice(2)).toEqual(['unsynced 1', 'unsynced 2', 'unsynced 1', 'unsynced 0']);
  });

  test('sends what is typed faster than it is saved in few messages', async () => {
    const server = new Server();
    const ada = await page(server);
    server.holding = true;
    for (let i = 0; i < 100; i++) {
      ada.type('x');
      await settle();
    }
    expect(server.mostHeld).toBe(8);
    expect(ada.provider.unsyncedChanges).toBe(100);
    server.release();
    await settle();
    expect(server.text('notes')).toHaveLength(100);
    expect(server.updates).toBe(10); // the first is that of the opening
    expect(ada.provider.unsyncedChanges).toBe(0);
  });

  test('does not queue without end', async () => {
    const server = new Server();
    const ada = await page(server);
    server.holding = true;
    for (let i = 0; i < 1000; i++) ada.type('x');
    await settle();
    expect(server.text('notes')).toHaveLength(1000);
    server.release();
    await settle();
    expect(ada.provider.unsyncedChanges).toBe(0);
  });

  test('tells a loss, and goes on after it', async () => {
    const server = new Server();
    const ada = await page(server);
    ada.room.drop();
    ada.type('offline');
    expect(ada.events.slice(2)).toEqual(['connecting', 'sync false', 'unsynced 1']);
    ada.room.back(false);
    await settle();
    expect(ada.events.slice(5)).toEqual(['connected', 'sync true', 'unsynced 0']);
    expect(server.opens).toBe(1);
    expect(server.text('notes')).toBe('offline');
  });

  test('brings what was changed on both sides meanwhile, also when the server has forgotten the stream', async () => {
    const server = new Server();
    const ada = await page(server);
    const bob = await page(server);
    ada.type('start ');
    await settle();
    ada.room.drop();
    ada.type('ada ');
    bob.type('bob ');
    await settle();
    ada.room.back(true);
    await settle();
    expect(ada.text).toBe(bob.text);
    expect(ada.text).toContain('ada');
    expect(ada.provider.unsyncedChanges).toBe(0);
  });

  test('is disconnected when the room is, and back with it', async () => {
    const server = new Server();
    const ada = await page(server);
    ada.room.leave();
    expect(ada.provider.status).toBe('disconnected');
    ada.type('offline');
    ada.room.state = 'connected';
    ada.room.back(true);
    await settle();
    expect(server.text('notes')).toBe('offline');
    expect(ada.provider.synced).toBe(true);
  });

  test('can be disconnected and connected', async () => {
    const server = new Server();
    const ada = await page(server, { connect: false });
    expect(ada.provider.status).toBe('disconnected');
    ada.provider.connect();
    await settle();
    ada.provider.disconnect();
    ada.type('alone');
    await settle();
    expect(server.text('notes')).toBe('');
    expect(ada.provider.unsyncedChanges).toBe(1);
    ada.provider.connect();
    await settle();
    expect(server.text('notes')).toBe('alone');
    expect(ada.provider.unsyncedChanges).toBe(0);
  });

  test('ends with the document, and leaves nothing running', async () => {
    const server = new Server();
    const ada = await page(server);
    ada.doc.destroy();
    ada.provider.destroy();
    ada.provider.connect();
    ada.type('late');
    await settle();
    expect(ada.provider.status).toBe('disconnected');
    expect(server.text('notes')).toBe('');
    expect(ada.room.listeners).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('says that what was there before is saved only when it is', async () => {
    const server = new Server();
    server.holding = true;
    const ada = await page(server, {}, (_, doc) => doc.getText('t').insert(0, 'kept on this device'));
    expect(ada.provider.synced).toBe(true);
    expect(ada.provider.unsyncedChanges).toBe(1);
    server.release();
    await settle();
    expect(ada.provider.unsyncedChanges).toBe(0);
  });

  test('a deletion that nobody else knows is a change as well', async () => {
    const server = new Server();
    const ada = await page(server);
    ada.type('secret');
    await settle();
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(ada.doc));
    ada.provider.destroy();
    copy.getText('t').delete(0, 6);
    server.holding = true;
    const again = await page(server, {}, (_, doc) => Y.applyUpdate(doc, Y.encodeStateAsUpdate(copy)));
    expect(again.provider.unsyncedChanges).toBe(1);
    server.release();
    await settle();
    expect(server.text('notes')).toBe('');
    const fresh = await page(server);
    expect(fresh.events).toEqual(['connected', 'sync true']);
  });
});

describe('who may only read', () => {
  test('is told, and keeps what was typed until it may write', async () => {
    const server = new Server();
    const ada = await page(server, {}, (room) => (room.rights = 'r'));
    expect(ada.provider.readOnly).toBe(true);
    expect(ada.events).toEqual(['connected', 'read-only true', 'sync true']);
    ada.type('mine');
    await vi.advanceTimersByTimeAsync(1000);
    expect(ada.events.slice(3)).toEqual(['unsynced 1', 'denied doc.readOnly']);
    expect(server.text('notes')).toBe('');
    expect(ada.provider.unsyncedChanges).toBe(1);
    ada.room.rights = 'rw';
    ada.room.drop();
    ada.room.back(true);
    await settle();
    expect(server.text('notes')).toBe('mine');
    expect(ada.provider.unsyncedChanges).toBe(0);
    expect(ada.provider.readOnly).toBe(false);
  });

  test('and not even that is told so, and not asked again', async () => {
    const server = new Server();
    const ada = await page(server, {}, (room) => (room.rights = ''));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ada.events).toEqual(['connecting', 'denied data.forbidden'].slice(1));
    expect(ada.provider.synced).toBe(false);
    expect(server.opens).toBe(1);
  });
});

describe('a refused change', () => {
  test.each(['doc.gap', 'rate.limited', 'storage.failed', 'storage.full', 'data.backpressure'])(
    'with %s goes again, and is not lost',
    async (code) => {
      const server = new Server();
      const ada = await page(server);
      server.refusals.push({ code, retryable: true }, { code, retryable: true });
      ada.type('x');
      await settle();
      expect(ada.provider.unsyncedChanges).toBe(1);
      await vi.advanceTimersByTimeAsync(250);
      expect(server.text('notes')).toBe('');
      await vi.advanceTimersByTimeAsync(500);
      expect(server.text('notes')).toBe('x');
      expect(ada.provider.unsyncedChanges).toBe(0);
      expect(ada.events).not.toContain(`error ${code}`);
    },
  );

  test('under a client id that somebody else uses is told, and what follows has another id', async () => {
    const server = new Server();
    const ada = await page(server);
    const { clientID } = ada.doc;
    server.refusals.push({ code: 'doc.equivocation', retryable: false });
    ada.type('x');
    await vi.advanceTimersByTimeAsync(250);
    expect(ada.events).toContain('error doc.equivocation');
    expect(ada.doc.clientID).not.toBe(clientID);
    ada.type('y');
    await settle();
    expect(server.text('notes')).toBe('xy');
  });

  test('that will not pass is told, counts as unsynced, and is not tried for ever', async () => {
    const server = new Server();
    const ada = await page(server);
    server.refusals.push({ code: 'doc.limit', retryable: false });
    ada.type('x');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ada.events.slice(2)).toEqual(['unsynced 1', 'error doc.limit']);
    expect(server.updates).toBe(2);
  });
});

describe('awareness', () => {
  const others = (p: Page): unknown[] =>
    [...(p.provider.awareness?.getStates() ?? [])].flatMap(([id, s]) => (id === p.doc.clientID ? [] : [s]));

  test('shows who is here and where, gathered', async () => {
    const server = new Server();
    const ada = await page(server);
    const bob = await page(server);
    for (let at = 0; at < 10; at++) ada.provider.awareness?.setLocalStateField('at', at);
    await vi.advanceTimersByTimeAsync(40);
    expect(others(bob)).toEqual([{ at: 9 }]);
    const eve = await page(server);
    expect(others(eve)).toContainEqual({ at: 9 });
  });

  test('tells the same again when the server believed this page gone', async () => {
    const server = new Server();
    const ada = await page(server);
    const bob = await page(server);
    ada.provider.awareness?.setLocalState({ name: 'Ada' });
    await vi.advanceTimersByTimeAsync(40);
    server.silence('notes', ada.doc.clientID);
    await vi.advanceTimersByTimeAsync(80);
    expect(others(bob)).toEqual([{ name: 'Ada' }]);
  });

  test('of others is gone with the connection, and back with it at once', async () => {
    const server = new Server();
    const ada = await page(server);
    const bob = await page(server);
    ada.provider.awareness?.setLocalState({ name: 'Ada' });
    await vi.advanceTimersByTimeAsync(40);
    bob.provider.disconnect();
    expect(others(bob)).toEqual([]);
    bob.provider.connect();
    await settle();
    expect(others(bob)).toEqual([{ name: 'Ada' }]);
  });

  test('may be shared, or left out', async () => {
    const server = new Server();
    const awareness = new Awareness(new Y.Doc());
    const ada = await page(server, { awareness });
    expect(ada.provider.awareness).toBe(awareness);
    ada.provider.destroy();
    expect(awareness.getLocalState()).toEqual({});
    awareness.destroy();
    expect((await page(server, { awareness: null })).provider.awareness).toBeNull();
  });
});

test('subdocuments sync under their own names, and count', async () => {
  const server = new Server();
  const ada = await page(server);
  const bob = await page(server);
  const chapter = new Y.Doc({ guid: 'chapter-1' });
  ada.doc.getMap<Y.Doc>('chapters').set('one', chapter);
  await settle();
  const theirs = bob.doc.getMap<Y.Doc>('chapters').get('one');
  theirs?.load();
  await settle();
  server.holding = true;
  chapter.getText('t').insert(0, 'Call me');
  await settle();
  expect(theirs?.getText('t').toJSON()).toBe('Call me');
  expect(server.text('chapter-1')).toBe('Call me');
  expect(ada.provider.unsyncedChanges).toBe(1);
  expect([...ada.provider.subdocs.keys()]).toEqual(['chapter-1']);
  server.release();
  await settle();
  expect(ada.provider.unsyncedChanges).toBe(0);
  ada.doc.getMap('chapters').delete('one');
  await settle();
  expect(ada.provider.subdocs.size).toBe(0);
  expect(bob.provider.subdocs.size).toBe(0);
});
