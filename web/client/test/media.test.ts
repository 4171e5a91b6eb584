import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TurnoutError } from '../src/errors.js';
import { Media } from '../src/media.js';
import type { Outgoing } from '../src/transport.js';
import type { Post, Request, ServerMessage } from '../src/protocol.js';
import { FakePeerConnection, joinedAs, settle } from './fakes.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Offer = Extract<Request, { t: 'offer' }>['d'];

interface Asked {
  request: Request;
  resolve: (message: ServerMessage) => void;
  reject: (error: TurnoutError) => void;
}

class World {
  readonly peers: FakePeerConnection[] = [];
  readonly asked: Asked[] = [];
  readonly posts: Post[] = [];
  readonly links: string[] = [];
  readonly errors: string[] = [];
  slotChanges = 0;
  up = true;
  readonly media = new Media(
    {
      up: () => this.up,
      request: (request) => new Promise((resolve, reject) => this.asked.push({ request, resolve, reject })),
      post: (post) => this.posts.push(post),
    },
    {
      createConnection: (config) => {
        const peer = new FakePeerConnection(config);
        this.peers.push(peer);
        return peer as unknown as RTCPeerConnection;
      },
      config: {},
      idle: false,
    },
    {
      link: (state) => this.links.push(state),
      slotsChanged: () => this.slotChanges++,
      channels: () => undefined,
      error: (error) => this.errors.push(error.code),
    },
  );

  get peer(): FakePeerConnection {
    return this.peers.at(-1) ?? never('no peer');
  }
  get last(): Asked {
    return this.asked.at(-1) ?? never('nothing asked');
  }
  get offers(): Offer[] {
    return this.asked.flatMap(({ request }) => (request.t === 'offer' ? [request.d] : []));
  }
  get offer(): Offer {
    return this.offers.at(-1) ?? never('no offer');
  }

  async answer(slots: { mid: string; slot: string; kind: 'audio' | 'video' }[] = []): Promise<void> {
    const { transport, rev } = this.offer;
    this.last.resolve({ t: 'answer', d: { transport, rev, sdp: 'answer', slots } });
    await settle();
  }
}

function never(why: string): never {
  throw new Error(why);
}

async function joined(): Promise<World> {
  const w = new World();
  w.media.joined(joinedAs('ada'));
  await settle();
  return w;
}

async function connected(): Promise<World> {
  const w = await joined();
  await w.answer([{ mid: '1', slot: 'a0', kind: 'audio' }]);
  w.peer.becomes('connected');
  return w;
}

function track(id: string, kind: 'audio' | 'video' = 'video'): Outgoing {
  return {
    id,
    kind,
    source: kind === 'video' ? 'camera' : 'microphone',
    maxBitrate: 1000,
    videoCodec: undefined,
    media: { kind } as MediaStreamTrack,
    muted: false,
  };
}

describe('the first offer', () => {
  test('carries the slots and two data channels, and is followed by ready', async () => {
    const w = await joined();
    expect(w.peer.channels).toEqual(['turnout.reliable', 'turnout.lossy']);
    expect(w.peer.transceivers.map((t) => `${t.kind} ${t.direction}`)).toEqual([
      ...Array<string>(3).fill('audio recvonly'),
      ...Array<string>(6).fill('video recvonly'),
    ]);
    expect(w.offer).toEqual({ transport: 1, rev: 1, sdp: 'offer of generation 0 with 9 m-lines', publications: [] });
    expect(w.posts).toEqual([]);
    await w.answer([{ mid: '1', slot: 'a0', kind: 'audio' }]);
    expect(w.posts).toEqual([{ t: 'ready', d: { rev: 1 } }]);
    expect(w.media.receiver('a0')?.track.kind).toBe('audio');
    expect(w.media.receiver('v0')).toBeUndefined();
  });

  test('is the only one in flight: what is wished meanwhile goes into the next', async () => {
    const w = await joined();
    const published = Promise.all([w.media.publish(track('TR_a')), w.media.publish(track('TR_b', 'audio'))]);
    w.media.message({ t: 'slots', d: { rev: 1, audio: 4, video: 8 } });
    await settle();
    expect(w.offers).toHaveLength(1);
    await w.answer();
    expect(w.offers).toHaveLength(2);
    expect(w.offer).toMatchObject({
      rev: 2,
      publications: [
        { id: 'TR_a', source: 'camera' },
        { id: 'TR_b', source: 'microphone' },
      ],
    });
    expect(w.peer.transceivers).toHaveLength(4 + 8 + 2);
    await w.answer();
    await published;
    expect(w.offers).toHaveLength(2);
  });

  test('is sent again when its answer is lost, with the same number', async () => {
    const w = await joined();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(w.offers).toHaveLength(2);
    expect(w.offers[1]).toEqual(w.offers[0]);
    await w.answer();
    expect(w.posts).toEqual([{ t: 'ready', d: { rev: 1 } }]);
    w.asked[0]?.resolve({ t: 'answer', d: { transport: 1, rev: 1, sdp: 'answer', slots: [] } });
    await settle();
    expect(w.posts).toHaveLength(1);
  });

  test('waits while the WebSocket is away: the session asks again by itself', async () => {
    const w = await joined();
    w.up = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(w.offers).toHaveLength(1);
  });
});

describe('a publication', () => {
  test('that is refused is rolled back and told, and disturbs no other', async () => {
    const w = await connected();
    const first = w.media.publish(track('TR_a'));
    await settle();
    await w.answer();
    await first;
    const refused = w.media.publish(track('TR_b'));
    const told = expect(refused).rejects.toMatchObject({ code: 'media.limit' });
    await settle();
    w.last.reject(new TurnoutError('media.limit', 'too many'));
    await told;
    expect(w.peer.signalingState).toBe('have-local-offer'); // and not stuck: this is the next offer
    expect(w.offer).toMatchObject({ rev: 4, publications: [{ id: 'TR_a' }] });
    expect(w.peers).toHaveLength(1);
    await w.answer();
    expect(w.peer.signalingState).toBe('stable');
  });

  test('that ends needs no offer, and leaves its m-line to the next', async () => {
    const w = await connected();
    void w.media.publish(track('TR_a'));
    await settle();
    await w.answer();
    const before = w.peer.transceivers.length;
    void w.media.unpublish('TR_a');
    await settle();
    expect(w.last.request).toEqual({ t: 'unpublish', d: { id: 'TR_a' } });
    expect(w.peer.transceivers.at(-1)?.sender.track).toBeNull();
    w.last.resolve({ t: 'ok', d: {} });
    await settle();
    expect(w.offers).toHaveLength(2);
    void w.media.publish(track('TR_b'));
    await settle();
    expect(w.peer.transceivers).toHaveLength(before);
    expect(w.peer.transceivers.at(-1)).toMatchObject({ direction: 'sendonly', sender: { track: { kind: 'video' } } });
    expect(w.offer.publications).toMatchObject([{ id: 'TR_b' }]);
  });

  describe('with a wish for its codec', () => {
    const h264 = [{ mimeType: 'video/H264' }];
    const usual = [{ mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }, { mimeType: 'video/VP9' }];
    beforeEach(() => {
      vi.stubGlobal('RTCRtpSender', { getCapabilities: () => ({ codecs: usual }) });
      vi.stubGlobal('RTCRtpReceiver', { getCapabilities: () => ({ codecs: [...usual, ...h264] }) });
    });
    afterEach(() => void vi.unstubAllGlobals());

    const publish = async (w: World, ...all: Outgoing[]): Promise<(string[] | undefined)[]> => {
      for (const outgoing of all) {
        void w.media.publish(outgoing);
        await settle();
        await w.answer();
      }
      return w.peer.transceivers.slice(-all.length).map((t) => t.preferred);
    };

    test('puts it before the others', async () => {
      expect(await publish(await connected(), { ...track('TR_a'), videoCodec: 'vp9' })).toEqual([
        ['video/VP9', 'video/VP8', 'video/rtx', 'video/H264'],
      ]);
    });

    test('goes without it where the browser cannot send it, can choose none, and for sound', async () => {
      const w = await connected();
      const wishes: Outgoing[] = [
        { ...track('TR_a'), videoCodec: 'h264' }, // which this one only plays
        { ...track('TR_b'), videoCodec: 'av1' },
        { ...track('TR_c', 'audio'), videoCodec: 'vp9' },
      ];
      expect(await publish(w, ...wishes)).toEqual([undefined, undefined, undefined]);
      const add = w.peer.addTransceiver.bind(w.peer);
      w.peer.addTransceiver = (...args) => Object.assign(add(...args), { setCodecPreferences: undefined });
      await publish(w, { ...track('TR_d'), videoCodec: 'vp9' });
      expect(w.offer.publications).toHaveLength(4);
    });

    test('takes no m-line that was for another', async () => {
      const w = await connected();
      await publish(w, track('TR_a'), { ...track('TR_b'), videoCodec: 'vp9' });
      const lines = w.peer.transceivers.slice(-2);
      for (const id of ['TR_a', 'TR_b']) {
        void w.media.unpublish(id);
        await settle();
        w.last.resolve({ t: 'ok', d: {} });
        await settle();
      }
      const [vp8] = await publish(w, { ...track('TR_c'), videoCodec: 'vp8' });
      expect(vp8?.[0]).toBe('video/VP8');
      await publish(w, { ...track('TR_d'), videoCodec: 'vp9' });
      expect(lines.map((t) => t.sender.track)).toEqual([null, { kind: 'video' }]);
    });
  });

  test('that ends while its offer is made is not in it', async () => {
    const w = await connected();
    const publishing = w.media.publish(track('TR_a'));
    const ended = expect(publishing).rejects.toMatchObject({ code: 'aborted' });
    void w.media.unpublish('TR_a');
    await ended;
    await settle();
    expect(w.offer.publications).toEqual([]);
  });
});

describe('a connection', () => {
  test('that fails gets an ICE restart, then another, then is made anew with all publications', async () => {
    const w = await connected();
    void w.media.publish(track('TR_a'));
    await settle();
    await w.answer();
    for (let i = 0; i < 2; i++) {
      w.peer.becomes('failed');
      await settle();
      expect(w.peer.restarts).toBe(i + 1);
      await w.answer();
    }
    w.peer.becomes('failed');
    await vi.advanceTimersByTimeAsync(1000);
    expect(w.peers).toHaveLength(2);
    expect(w.peers[0]?.closed).toBe(true);
    expect(w.offer).toMatchObject({ transport: 2, rev: 5, publications: [{ id: 'TR_a' }] });
  });

  test('that recovers within three seconds is left alone', async () => {
    const w = await connected();
    w.peer.becomes('disconnected');
    await vi.advanceTimersByTimeAsync(2900);
    w.peer.becomes('connected');
    await vi.advanceTimersByTimeAsync(5000);
    expect(w.peer.restarts).toBe(0);
    w.peer.becomes('disconnected');
    await vi.advanceTimersByTimeAsync(3000);
    expect(w.peer.restarts).toBe(1);
    expect(w.links).toEqual(['connecting', 'up', 'connecting', 'up', 'connecting']);
  });

  test('is made anew when the server asks, also in the middle of an offer', async () => {
    const w = await joined();
    w.media.message({ t: 'needOffer', d: { reason: 'newTransport' } });
    await settle();
    expect(w.offer).toMatchObject({ transport: 2, rev: 2 });
    w.asked[0]?.resolve({ t: 'answer', d: { transport: 1, rev: 1, sdp: 'late', slots: [] } });
    await settle();
    expect(w.posts).toEqual([]);
    await w.answer();
    expect(w.posts).toEqual([{ t: 'ready', d: { rev: 2 } }]);
  });

  test('whose answer cannot be applied is made anew', async () => {
    const w = await joined();
    w.peer.badAnswer = true;
    await w.answer();
    expect(w.errors).toEqual(['media.failed']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(w.offer).toMatchObject({ transport: 2, rev: 2 });
  });

  test('takes fresh ICE servers for its next restart', async () => {
    const w = await connected();
    w.media.message({ t: 'iceServers', d: { iceServers: [{ urls: ['turn:192.0.2.2'] }] } });
    expect(w.peer.config.iceServers).toEqual([{ urls: ['turn:192.0.2.2'] }]);
  });
});

test('after a resume, what has no reply is said again', async () => {
  const w = await connected();
  w.peer.finds('candidate:1');
  w.peer.finds('');
  w.posts.length = 0;
  w.media.resumed();
  expect(w.posts.map((p) => (p.t === 'candidate' ? `candidate ${p.d.candidate}` : p.t))).toEqual([
    'ready',
    'candidate candidate:1',
    'candidate ',
  ]);
});

test('a new session begins with transport 1 and offer 1, and publishes again', async () => {
  const w = await connected();
  const publishing = w.media.publish(track('TR_a'));
  await settle();
  w.last.reject(new TurnoutError('session.gone', 'gone', { retryable: true }));
  await settle();
  w.media.joined(joinedAs('ada'));
  await settle();
  expect(w.peers).toHaveLength(2);
  expect(w.offer).toMatchObject({ transport: 1, rev: 1, publications: [{ id: 'TR_a' }] });
  await w.answer();
  await publishing;
});
