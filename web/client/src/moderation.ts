import { TurnoutError } from './errors.js';
import type { RemoteParticipant } from './participant.js';
import type { Request, Source } from './protocol.js';

/** What a participant with `admin` may do to others. Rejects with auth.forbidden for those without. */
export class Moderation {
  readonly #request: (request: Extract<Request, { t: 'mute' | 'kick' | 'endRoom' }>) => Promise<void>;
  readonly #participants: ReadonlyMap<string, RemoteParticipant>;

  constructor(
    request: (request: Extract<Request, { t: 'mute' | 'kick' | 'endRoom' }>) => Promise<void>,
    participants: ReadonlyMap<string, RemoteParticipant>,
  ) {
    this.#request = request;
    this.#participants = participants;
  }

  /** Mutes a publication of somebody, who alone can unmute it. */
  async mute(identity: string, source: Source): Promise<void> {
    const publication = this.#participants.get(identity)?.publication(source);
    if (!publication) throw new TurnoutError('publication.notFound', `${identity} publishes no ${source}`);
    await this.#request({ t: 'mute', d: { id: publication.sid, muted: true } });
  }

  kick(identity: string, reason?: string): Promise<void> {
    return this.#request({ t: 'kick', d: { identity, ...(reason !== undefined && { reason }) } });
  }

  /** Ends the room for everyone. */
  end(reason?: string): Promise<void> {
    return this.#request({ t: 'endRoom', d: { ...(reason !== undefined && { reason }) } });
  }
}
