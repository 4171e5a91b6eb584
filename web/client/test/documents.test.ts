import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { DocumentEvents, RoomDocument } from '../src/documents.js';
import { Bytes, read, text, type World, world } from './dataserver.js';
import { settle } from './fakes.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const state = (doc: number, writable = 1): Uint8Array => new Bytes().n(0x21, doc, writable, 7, 3).s('theirs').s('sv').frame;
const docAck = (id: number, doc: number): Uint8Array => new Bytes().n(0x24, id, doc, 7, 4).frame;
const refusal = (id: number, code: string, retryable: number): Uint8Array =>
  new Bytes().n(0x10, id).s(code).s('no').s('').n(retryable).frame;

interface Opened {
  w: World;
  doc: RoomDocument;
  events: string[];
}

async function opened(): Promise<Opened> {
  const w = world();
  const events: string[] = [];
  const on: DocumentEvents = {
    stateVector: () => text('mine'),
    opened: (s) => events.push(`opened ${s.writable} ${s.position.epoch}/${s.position.seq} ${new TextDecoder().decode(s.update)}`),
    changed: (update, { seq }) => events.push(`changed ${seq} ${new TextDecoder().decode(update)}`),
    awareness: (update) => events.push(`awareness ${new TextDecoder().decode(update)}`),
    closed: (error) => events.push(`closed ${error.code}`),
  };
  const doc = w.data.documents.open('notes', on);
  w.connect();
  await settle();
  return { w, doc, events };
}

/** The ids of what was sent of a type. */
const ids = (w: World, type: number): number[] =>
  w.reliable.sent.flatMap((m) => read(m).flatMap((f) => (f.type === type ? [f.body[0] ?? 0] : [])));

describe('a document', () => {
  test('is opened once there is a wire, and told what happens to it', async () => {
    const { w, events } = await opened();
    expect(w.reliable.types).toEqual([1, 0x20]);
    w.server.say(state(1));
    w.server.say(new Bytes().n(0x23, 1, 7, 4).s('more').frame);
    w.server.say(new Bytes().n(0x25, 1).s('who').frame);
    w.server.say(new Bytes().n(0x25, 9).s('of another').frame);
    expect(events).toEqual(['opened true 7/3 theirs', 'changed 4 more', 'awareness who']);
  });

  test('has an update acknowledged by docAck only', async () => {
    const { w, doc } = await opened();
    w.server.say(state(1));
    let settled = false;
    const saving = doc.update(text('u')).then((position) => {
      settled = true;
      return position;
    });
    w.server.acknowledge(); // it is there, and not on disk
    await settle();
    expect(settled).toBe(false);
    w.server.say(docAck(ids(w, 0x22)[0] ?? 0, 1));
    expect(await saving).toEqual({ epoch: 7, seq: 4 });
  });

  test('has what is refused told to who sent it', async () => {
    const { w, doc } = await opened();
    const saving = doc.update(text('u'));
    w.server.say(refusal(ids(w, 0x22)[0] ?? 0, 'doc.readOnly', 0));
    await expect(saving).rejects.toMatchObject({ code: 'doc.readOnly', retryable: false });
  });

  test('goes on over the next wire of the same stream, without another opening', async () => {
    const { w, doc } = await opened();
    w.reliable.drop();
    const saving = doc.update(text('u'));
    w.connect();
    expect(w.reliable.types).toEqual([1, 0x22]);
    w.server.say(docAck(ids(w, 0x22)[0] ?? 0, 1));
    await saving;
  });

  test('is opened again on a new stream, and what has no answer has failed', async () => {
    const { w, doc, events } = await opened();
    const saving = doc.update(text('u'));
    w.reliable.drop();
    w.server.stream = 78;
    w.server.received = 0;
    w.connect();
    await expect(saving).rejects.toMatchObject({ code: 'data.lost', retryable: true });
    expect(w.reliable.types).toEqual([1, 0x20]);
    w.server.say(state(1));
    expect(events).toHaveLength(1);
  });

  test('is opened again after a gap', async () => {
    const { w } = await opened();
    w.server.say(new Bytes().n(0x14, 5).frame);
    expect(w.reliable.types).toEqual([1, 0x20, 0x20]);
  });

  test('that was refused or ended stays closed until it is opened', async () => {
    const { w, doc, events } = await opened();
    w.server.say(refusal(ids(w, 0x20)[0] ?? 0, 'data.forbidden', 0));
    w.server.say(new Bytes().n(0x14, 5).frame);
    await expect(doc.update(text('u'))).rejects.toMatchObject({ code: 'doc.notOpen', retryable: true });
    doc.awareness(text('a'));
    expect(w.reliable.types).toEqual([1, 0x20]);
    doc.open();
    w.server.say(new Bytes().n(0x27, 1).s('storage.failed').s('no').s('').n(1).frame);
    expect(events).toEqual(['closed data.forbidden', 'closed storage.failed']);
  });

  test('that is closed is told so, and hears no more', async () => {
    const { w, doc, events } = await opened();
    const saving = doc.update(text('u'));
    doc.close();
    doc.close();
    await expect(saving).rejects.toMatchObject({ code: 'aborted' });
    w.server.say(state(1));
    expect(events).toEqual([]);
    expect(w.reliable.types).toEqual([1, 0x20, 0x22, 0x26]);
  });

  test('is kept alive for the others once they see this side in it', async () => {
    const { w, doc } = await opened();
    w.server.acknowledge();
    await vi.advanceTimersByTimeAsync(5000);
    expect(w.reliable.types).toEqual([1, 0x20]);
    doc.awareness(text('here'));
    w.server.acknowledge();
    await vi.advanceTimersByTimeAsync(4500);
    expect(w.reliable.types.filter((t) => t === 3).length).toBeGreaterThanOrEqual(3);
    doc.close();
    w.server.acknowledge();
    const before = w.reliable.sent.length;
    await vi.advanceTimersByTimeAsync(5000);
    expect(w.reliable.sent).toHaveLength(before);
  });

  test('refuses what is too much to keep, and takes more later', async () => {
    const { w, doc } = await opened();
    w.reliable.bufferedAmount = 1 << 20;
    const saving = Array.from({ length: 9 }, () => doc.update(new Uint8Array(1 << 20)));
    await expect(saving.at(-1)).rejects.toMatchObject({ code: 'data.backpressure', retryable: true });
    for (const s of saving) s.catch(() => undefined);
    w.data.close();
  });

  test('has what is pending fail when the room is left, and is opened by the next', async () => {
    const { w, doc } = await opened();
    const saving = doc.update(text('u'));
    w.data.close();
    await expect(saving).rejects.toMatchObject({ code: 'aborted' });
    w.server.stream = 79;
    w.connect();
    expect(w.reliable.types).toEqual([1, 0x20]);
  });
});
