// What tests need in place of a server and a browser.
import type { Joined, ParticipantInfo, PublicationInfo } from '../src/protocol.js';

export function person(identity: string, publications: PublicationInfo[] = []): ParticipantInfo {
  return { sid: `PA_${identity}`, identity, name: identity, metadata: '', attributes: {}, joinedAt: 1, publications };
}

export function joinedAs(identity: string, others: ParticipantInfo[] = [], more: Partial<Joined> = {}): Joined {
  return {
    session: { id: `SE_${identity}`, secret: 's', graceMs: 30_000 },
    room: { name: 'standup' },
    self: person(identity),
    permissions: { publish: true, sources: [], subscribe: true, data: true, admin: false, hidden: false },
    participants: others,
    iceServers: [{ urls: ['stun:192.0.2.1:3478'] }],
    heartbeat: { intervalMs: 5000, timeoutMs: 12_000 },
    slots: { audio: 3, video: 6 },
    limits: { messageBytes: 262_144, publications: 16 },
    server: { version: '0.1.0' },
    ...more,
  };
}
