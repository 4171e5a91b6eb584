// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RoomOptions } from '../src/options.js';
import { connect, Room } from '../src/room.js';
import type { PublicationInfo, ServerMessage } from '../src/protocol.js';
import { LocalTrack } from '../src/tracks.js';
import { FakePeerConnection, FakeSocket, joinedAs, person, settle } from './fakes.js';

const sockets: FakeSocket[] = [];
const peers: FakePeerConnection[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  sockets.length = peers.length = 0;
  vi.stubGlobal(
    'WebSocket',
    class extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    },
  );
  vi.stubGlobal(
    'RTCPeerConnection',
    class extends FakePeerConnection {
      constructor(config: RTCConfiguration) {
        super(config);
        peers.push(this);
      }
    },
  );
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const camera = (id: string, muted = false): PublicationInfo => ({ id, kind: 'video', source: 'camera', muted });

/** A room with Bob in it, and the messages of its server. */
class World {
  readonly events: string[] = [];
  #n = 1;

  constructor(readonly room: Room) {
    for (const event of ['connected', 'reconnecting', 'reconnected', 'participantConnected', 'participantDisconnected'] as const) {
      room.on(event, () => this.events.push(event));
    }
    for (const event of [
      'trackPublished',
      'trackUnpublished',
      'trackMuted',
      'trackUnmuted',
      'trackSubscribed',
      'trackUnsubscribed',
    ] as const) {
      room.on(event, () => this.events.push(event));
    }
    room.on('disconnected', (reason) => this.events.push(`disconnected ${reason}`));
  }

  get socket(): FakeSocket {
    const last = sockets.at(-1);
    if (!last) throw new Error('no socket');
    return last;
  }

  say(message: ServerMessage, re?: number): void {
    this.socket.say({ ...message, n: ++this.#n, ...(re !== undefined && { re }) });
  }

  /** Starts a session with these others. */
  joined(others = [person('bob', [camera('TR_b')])]): void {
    this.#n = 1;
    this.socket.open();
    this.socket.say({ t: 'joined', n: 1, re: 1, d: joinedAs('ada', others) });
  }

  /** Answers the last offer. */
  async answer(slots: { mid: string; slot: string; kind: 'audio' | 'video' }[] = [{ mid: '4', slot: 'v0', kind: 'video' }]): Promise<void> {
    await settle();
    const offer = this.socket.sent.findLast((f) => f.t === 'offer');
    if (offer?.t !== 'offer') throw new Error('no offer');
    this.say({ t: 'answer', d: { transport: offer.d.transport, rev: offer.d.rev, sdp: 'answer', slots } }, offer.id);
    await settle();
  }

  /** The id of the last request of a type. */
  asked(t: string): number {
    const frame = this.socket.sent.findLast((f) => f.t === t);
    if (!frame || !('id' in frame)) throw new Error(`no ${t} asked`);
    return frame.id;
  }
}

async function joined(options: Partial<RoomOptions> = {}): Promise<World> {
  const w = new World(new Room({ url: 'https://example.org/', token: 'a.b.c', ...options }));
  const connecting = w.room.connect();
  await settle();
  w.joined();
  await connecting;
  await w.answer();
  return w;
}

function fakeTrack(kind: 'audio' | 'video'): MediaStreamTrack {
  const track = Object.assign(new EventTarget(), {
    kind,
    enabled: true,
    readyState: 'live',
    stop: () => void (track.readyState = 'ended'),
  });
  return track as unknown as MediaStreamTrack;
}

describe('a room', () => {
  test('is joined in one go', async () => {
    const connecting = connect({ url: 'https://example.org/', token: 'a.b.c' });
    await settle();
    expect(sockets[0]?.url).toBe('wss://example.org/ws');
    sockets[0]?.open();
    sockets[0]?.say({ t: 'joined', n: 1, re: 1, d: joinedAs('ada') });
    const room = await connecting;
    expect(room.state).toBe('connected');
    expect(room.local.identity).toBe('ada');
  });

  test('shows others by identity, and their tracks once a slot shows them', async () => {
    const w = await joined();
    const bob = w.room.participants.get('bob');
    expect(bob?.publication('camera')?.track).toBeUndefined();
    w.say({ t: 'slotMap', d: { version: 1, slots: [{ slot: 'v0', publication: 'TR_b' }] } });
    expect(bob?.publication('camera')?.track?.kind).toBe('video');
    w.say({ t: 'slotMap', d: { version: 2, slots: [] } });
    expect(bob?.publication('camera')?.track).toBeUndefined();
    w.say({ t: 'participantLeft', d: { sid: 'PA_bob', identity: 'bob', reason: 'left' } });
    expect(w.room.participants.size).toBe(0);
    expect(w.events).toEqual([
      ...['participantConnected', 'trackPublished', 'connected', 'trackSubscribed', 'trackUnsubscribed'],
      ...['trackUnpublished', 'participantDisconnected'],
    ]);
  });

  test('gives another snapshot after each change, and the same one without', async () => {
    const w = await joined();
    const before = w.room.getSnapshot();
    expect(w.room.getSnapshot()).toBe(before);
    let told = 0;
    const off = w.room.subscribe(() => told++);
    w.say({ t: 'publicationUpdated', d: { participant: 'PA_bob', publication: camera('TR_b', true) } });
    expect(told).toBe(1);
    expect(before.participants[0]?.publications[0]?.muted).toBe(false);
    expect(w.room.getSnapshot().participants[0]?.publications[0]?.muted).toBe(true);
    off();
    w.say({ t: 'participantLeft', d: { sid: 'PA_bob', identity: 'bob', reason: 'left' } });
    expect(told).toBe(1);
  });

  test('a listener that throws disturbs nobody', async () => {
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    const w = await joined();
    w.room.on('trackMuted', () => {
      throw new Error('mine');
    });
    const heard = vi.fn();
    w.room.once('trackMuted', heard);
    for (const muted of [true, false, true])
      w.say({ t: 'publicationUpdated', d: { participant: 'PA_bob', publication: camera('TR_b', muted) } });
    expect(heard).toHaveBeenCalledTimes(1);
    expect(reported).toHaveBeenCalledTimes(2);
  });
});

describe('a room without media', () => {
  async function withoutMedia(): Promise<World> {
    const w = new World(new Room({ url: 'https://example.org/', token: 'a.b.c', media: false }));
    const connecting = w.room.connect();
    await settle();
    w.joined();
    await connecting;
    return w;
  }

  test('makes no RTCPeerConnection, and has its data on the WebSocket', async () => {
    const w = await withoutMedia();
    expect(w.socket.sent[0]).toMatchObject({ t: 'join', d: { autoSubscribe: false } });
    await vi.advanceTimersByTimeAsync(0);
    expect(w.socket.binary).toHaveLength(1);
    w.socket.say(Uint8Array.of(8, 2, 1, 5, 0, 100, 100, 100, 1));
    expect(w.room.transports).toMatchObject({ signal: 'up', data: 'fallback' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(peers).toHaveLength(0);
  });

  test('makes one when something is published', async () => {
    const w = await withoutMedia();
    const publishing = w.room.local.publish(new LocalTrack(fakeTrack('audio')));
    await w.answer();
    await publishing;
    expect(peers).toHaveLength(1);
    expect(peers[0]?.channels).toHaveLength(2);
  });
});

describe('what I publish', () => {
  async function published(): Promise<{ w: World; media: MediaStreamTrack; id: string }> {
    const w = await joined();
    const media = fakeTrack('audio');
    const publishing = w.room.local.publish(new LocalTrack(media));
    expect(w.room.getSnapshot().local.publications).toMatchObject([{ source: 'microphone' }]);
    await w.answer();
    const { id } = await publishing;
    return { w, media, id };
  }

  test('is sent with the codec that the room was told, or another that was said for it alone', async () => {
    const capabilities = {
      getCapabilities: () => ({ codecs: [{ mimeType: 'video/VP8' }, { mimeType: 'video/VP9' }, { mimeType: 'video/AV1' }] }),
    };
    vi.stubGlobal('RTCRtpSender', capabilities);
    vi.stubGlobal('RTCRtpReceiver', capabilities);
    const w = await joined({ videoCodec: 'vp9' });
    void w.room.local.publish(new LocalTrack(fakeTrack('video')));
    await w.answer();
    void w.room.local.publish(new LocalTrack(fakeTrack('video')), { source: 'screen', videoCodec: 'av1' });
    await w.answer();
    expect(peers[0]?.transceivers.slice(-2).map((t) => t.preferred?.[0])).toEqual(['video/VP9', 'video/AV1']);
  });

  test('is muted at once, and told to the others', async () => {
    const { w, media, id } = await published();
    const muting = w.room.local.setMicrophone(false);
    await settle();
    expect(media.enabled).toBe(false);
    w.say({ t: 'ok', d: {} }, w.asked('mute'));
    await muting;
    expect(w.socket.sent.at(-1)).toMatchObject({ t: 'mute', d: { id, muted: true } });
  });

  test('is muted when a moderator says so', async () => {
    const { w, media, id } = await published();
    w.say({ t: 'publicationUpdated', d: { participant: 'PA_ada', publication: { id, kind: 'audio', source: 'microphone', muted: true } } });
    expect(media.enabled).toBe(false);
    expect(w.room.local.publication('microphone')?.muted).toBe(true);
  });

  test('an echo of my own muting does not undo what I did since', async () => {
    const { w, media, id } = await published();
    const both = Promise.all([w.room.local.publications.get(id)?.mute(), w.room.local.publications.get(id)?.unmute()]);
    await settle();
    const asked = w.socket.sent.flatMap((f) => (f.t === 'mute' ? [f.id] : []));
    const echo = (muted: boolean): ServerMessage => ({
      t: 'publicationUpdated',
      d: { participant: 'PA_ada', publication: { id, kind: 'audio', source: 'microphone', muted } },
    });
    w.say(echo(true));
    w.say({ t: 'ok', d: {} }, asked[0]);
    w.say(echo(false));
    w.say({ t: 'ok', d: {} }, asked[1]);
    await both;
    expect(media.enabled).toBe(true);
  });

  test('is muted when its device is gone', async () => {
    const { w, media } = await published();
    const lost = vi.fn();
    w.room.on('deviceError', lost);
    media.dispatchEvent(new Event('ended'));
    expect(w.room.local.publication('microphone')?.muted).toBe(true);
    expect(lost.mock.calls[0]?.[0]).toMatchObject({ code: 'media.lost' });
  });

  test('is let go of when I leave', async () => {
    const { w, media } = await published();
    const leaving = w.room.disconnect();
    w.say({ t: 'disconnect', d: { reason: 'left', message: 'bye', retryable: false } }, w.asked('leave'));
    await leaving;
    expect(media.readyState).toBe('ended');
    expect(w.room.local.publications.size).toBe(0);
    expect(peers[0]?.closed).toBe(true);
    expect(w.events.at(-1)).toBe('disconnected client');
  });
});

describe('after a loss', () => {
  test('a resumed session is the same room: nobody has left', async () => {
    const w = await joined();
    w.socket.drop();
    await vi.advanceTimersByTimeAsync(1);
    expect(w.room.state).toBe('reconnecting');
    w.socket.open();
    const resume = w.socket.sent[0];
    if (resume?.t !== 'resume') throw new Error('no resume');
    w.socket.say({ t: 'resumed', re: resume.id, d: { id: resume.id - 1 } });
    expect(w.room.state).toBe('connected');
    expect(peers).toHaveLength(1);
    expect(w.events).toEqual(['participantConnected', 'trackPublished', 'connected', 'reconnecting', 'reconnected']);
  });

  test('a new session keeps who is still there, tells what changed, and says again what I changed', async () => {
    const w = await joined();
    const naming = w.room.local.setAttributes({ hand: 'up' });
    w.say({ t: 'ok', d: {} }, w.asked('update'));
    await naming;
    const unsubscribing = w.room.participants.get('bob')?.publication('camera')?.setSubscribed(false);
    await settle();
    w.say({ t: 'ok', d: {} }, w.asked('subscribe'));
    await unsubscribing;
    w.events.length = 0;
    w.socket.drop(1001);
    await vi.advanceTimersByTimeAsync(1);
    w.joined([person('bob', [camera('TR_b')]), person('eve')]);
    await w.answer();
    expect(w.room.local.identity).toBe('ada');
    expect(w.events).toEqual(['reconnecting', 'participantConnected', 'reconnected']);
    expect([...w.room.participants.keys()]).toEqual(['bob', 'eve']);
    expect(w.socket.types).toEqual(['join', 'update', 'subscribe', 'offer', 'ready']);
    expect(peers).toHaveLength(2);
  });

  test('what is muted between two sessions is muted in the next', async () => {
    const w = await joined();
    const publishing = w.room.local.publish(new LocalTrack(fakeTrack('audio')));
    await w.answer();
    await publishing;
    w.socket.drop(1001);
    await w.room.local.setMicrophone(false);
    await vi.advanceTimersByTimeAsync(1);
    w.joined();
    await settle();
    expect(w.socket.sent.findLast((f) => f.t === 'offer')).toMatchObject({ d: { publications: [{ source: 'microphone', muted: true }] } });
  });

  test('every reconnecting is followed by reconnected or disconnected', async () => {
    const w = await joined();
    w.socket.drop();
    for (let i = 0; i < 40; i++) {
      await vi.advanceTimersByTimeAsync(10_000);
      w.socket.drop();
    }
    expect(w.events.filter((e) => e.includes('connect') && !e.includes('participant'))).toEqual([
      'connected',
      'reconnecting',
      'disconnected networkLost',
    ]);
    expect(w.room.getSnapshot()).toMatchObject({ state: 'disconnected', reason: 'networkLost', participants: [] });
  });

  test('one may join again with the same room', async () => {
    const w = await joined();
    w.socket.drop(4002);
    expect(w.room.state).toBe('disconnected');
    const connecting = w.room.connect();
    await settle();
    w.joined();
    await connecting;
    expect(w.room.state).toBe('connected');
    expect(w.room.getSnapshot().reason).toBeUndefined();
  });
});

test('a page that is closed leaves at once', async () => {
  const w = await joined();
  window.dispatchEvent(new Event('pagehide'));
  expect(w.socket.types.at(-1)).toBe('leave');
});
