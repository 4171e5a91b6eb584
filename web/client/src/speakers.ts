// Who is speaking, from audio levels. Levels are linear, 0 to 1, as WebRTC's statistics give them.

// About -40 dBov: above the noise of a room, below quiet speech. Held so that a pause between words does not flicker.
const threshold = 0.01;
const holdMs = 700;

export class Speakers {
  /** When each was last loud, and how loud. */
  readonly #heard = new Map<string, { at: number; level: number }>();
  #speaking: readonly string[] = [];

  /** Takes the levels of everyone who can be heard now; gives who speaks, loudest first, or undefined when nothing changed. */
  update(now: number, levels: ReadonlyMap<string, number>): readonly string[] | undefined {
    for (const [id, level] of levels) if (level > threshold) this.#heard.set(id, { at: now, level });
    for (const [id, heard] of this.#heard) if (now - heard.at > holdMs || !levels.has(id)) this.#heard.delete(id);
    const speaking = [...this.#heard].sort(([, a], [, b]) => b.level - a.level).map(([id]) => id);
    // The order alone changes with every syllable: that is no news.
    const same = speaking.length === this.#speaking.length && speaking.every((id) => this.#speaking.includes(id));
    if (same) return undefined;
    return (this.#speaking = speaking);
  }
}
