import type { Attempt } from '../types.ts';
import type { Entry, NewEntry } from './entry.ts';

/**
 * The entries of a buffer, column by column: comparing two of a million should not fetch both from all over memory, and a
 * million objects would have the garbage collector walk over them. Slots 0 .. size - 1 hold an entry.
 */
export class EntryColumns {
  readonly id: Float64Array;
  readonly instance: Int32Array;
  readonly depth: Int32Array;
  readonly turn: Int32Array;
  readonly score: Float64Array;
  readonly born: Int32Array;
  readonly scored: Int32Array;
  readonly previous: (Attempt | null)[] = [];
  readonly episode: (readonly Attempt[])[] = [];

  constructor(capacity: number) {
    this.id = new Float64Array(capacity);
    this.instance = new Int32Array(capacity);
    this.depth = new Int32Array(capacity);
    this.turn = new Int32Array(capacity);
    this.score = new Float64Array(capacity);
    this.born = new Int32Array(capacity);
    this.scored = new Int32Array(capacity);
  }

  get size(): number {
    return this.previous.length;
  }

  get(slot: number): Entry {
    return {
      id: this.id[slot]!,
      instance: this.instance[slot]!,
      depth: this.depth[slot]!,
      previous: this.previous[slot]!,
      episode: this.episode[slot]!,
      turn: this.turn[slot]!,
      score: this.score[slot]!,
      born: this.born[slot]!,
      scored: this.scored[slot]!,
    };
  }

  /** Writes a slot; the first one behind the last entry makes one more. */
  set(slot: number, id: number, entry: NewEntry): void {
    this.id[slot] = id;
    this.instance[slot] = entry.instance;
    this.depth[slot] = entry.depth;
    this.turn[slot] = entry.turn;
    this.score[slot] = entry.score;
    this.born[slot] = entry.born;
    this.scored[slot] = entry.scored;
    this.previous[slot] = entry.previous;
    this.episode[slot] = entry.episode;
  }

  /** Takes the last entry away. */
  pop(): void {
    this.previous.pop();
    this.episode.pop();
  }
}
