import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { TurnoutProvider } from '../src/index.js';
import { FakeRoom, Server, settle } from './fakes.js';
import { seeded } from './random.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const codes = ['doc.gap', 'rate.limited', 'storage.failed'];

test('whatever is lost or refused, all pages are alike in the end, and all changes saved', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = seeded(seed);
    const server = new Server();
    const pages = [0, 1, 2].map(() => {
      const room = new FakeRoom(server);
      const doc = new Y.Doc();
      return { room, doc, provider: new TurnoutProvider(room, 'd', doc) };
    });
    for (let i = 0; i < 80; i++) {
      const { room, doc, provider } = random.pick(pages);
      const text = doc.getText('t');
      switch (random.below(10)) {
        case 0:
          room.drop();
          break;
        case 1:
          room.back(random.below(2) === 0);
          break;
        case 2:
          server.refusals.push({ code: random.pick(codes), retryable: true });
          break;
        case 3:
          server.holding = true;
          break;
        case 4:
          server.release();
          break;
        case 5:
          provider.disconnect();
          provider.connect();
          break;
        case 6:
          if (text.length > 3) text.delete(random.below(text.length - 2), 2);
          break;
        case 7:
          await vi.advanceTimersByTimeAsync(random.below(2000));
          break;
        default:
          text.insert(random.below(text.length + 1), `${i},`);
      }
      if (random.below(3) === 0) await settle();
      // What is said to be saved is on the server.
      if (provider.synced && provider.unsyncedChanges === 0) {
        const missing = Y.decodeUpdate(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(server.stored('d').doc)));
        expect(missing.structs, `seed ${seed}`).toEqual([]);
      }
    }
    server.release();
    server.refusals.length = 0;
    for (const { room } of pages) room.back(false);
    await vi.advanceTimersByTimeAsync(120_000);
    for (const { doc, provider } of pages) {
      expect(doc.getText('t').toJSON(), `seed ${seed}`).toBe(server.text('d'));
      expect([provider.unsyncedChanges, provider.synced], `seed ${seed}`).toEqual([0, true]);
      provider.destroy();
    }
  }
});
