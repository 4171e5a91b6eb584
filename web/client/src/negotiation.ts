// Which offer to make next. One offer is in flight at a time; wishes that come up meanwhile go into the next one.
// It knows no RTCPeerConnection and no time.

export interface Offer {
  transport: number;
  rev: number;
  iceRestart: boolean;
}

export class Negotiation {
  #transport = 0;
  #rev = 0;
  #slotsRev = 0;
  #wanted = false;
  #iceRestart = false;
  #inFlight: Offer | undefined;
  #slots = { audio: 0, video: 0 };

  get transport(): number {
    return this.#transport;
  }

  /** How many slots the next offer should carry. */
  get slots(): { audio: number; video: number } {
    return this.#slots;
  }

  get inFlight(): Offer | undefined {
    return this.#inFlight;
  }

  /** A new session: its transports and offers are counted from 1. */
  joined(slots: { audio: number; video: number }): void {
    this.#transport = this.#rev = this.#slotsRev = 0;
    this.#slots = slots;
    this.newTransport();
  }

  /** A new RTCPeerConnection: whatever was in flight concerned the old one. */
  newTransport(): void {
    this.#transport++;
    this.#inFlight = undefined;
    this.#iceRestart = false;
    this.#wanted = true;
  }

  /** Something changed that an offer must tell. */
  want(): void {
    this.#wanted = true;
  }

  wantIceRestart(): void {
    this.#wanted = this.#iceRestart = true;
  }

  /** The server's wish; false when it is old or already met. Slots are totals and never get fewer. */
  wantSlots(wish: { rev: number; audio: number; video: number }): boolean {
    if (wish.rev <= this.#slotsRev) return false;
    this.#slotsRev = wish.rev;
    const slots = { audio: Math.max(this.#slots.audio, wish.audio), video: Math.max(this.#slots.video, wish.video) };
    if (slots.audio === this.#slots.audio && slots.video === this.#slots.video) return false;
    this.#slots = slots;
    this.#wanted = true;
    return true;
  }

  /** The offer to make now, if any: all wishes so far are in it. */
  next(): Offer | undefined {
    if (this.#inFlight || !this.#wanted) return undefined;
    this.#inFlight = { transport: this.#transport, rev: ++this.#rev, iceRestart: this.#iceRestart };
    this.#wanted = this.#iceRestart = false;
    return this.#inFlight;
  }

  /** Whether an answer is the one that is waited for. */
  expects(answer: { transport: number; rev: number }): boolean {
    return this.#inFlight?.rev === answer.rev && this.#transport === answer.transport;
  }

  /** The answer was applied. */
  applied(rev: number): void {
    if (this.#inFlight?.rev === rev) this.#inFlight = undefined;
  }

  /** The offer was refused and rolled back; what it wished is wished again if `again`. */
  refused(rev: number, again: boolean): void {
    if (this.#inFlight?.rev !== rev) return;
    if (again) {
      this.#wanted = true;
      this.#iceRestart ||= this.#inFlight.iceRestart;
    }
    this.#inFlight = undefined;
  }
}
