// What the metrics say about a buffer, kept up to date entry by entry: a step costs as much as it changes. Everything here
// is a function of what lies in the slots, so a resumed run reports the same numbers.
import type { EntryColumns } from './entry-columns.ts';
import { add, ReduceTree } from './reduce-tree.ts';
import type { SlotIndex } from './slot-index.ts';

/** The variance of returns in [0, 1] is at most this. */
const MAX_SCORE = 0.25;
const BINS = 10;

export class BufferFacts implements SlotIndex {
  readonly #entries: EntryColumns;
  /** A tree, since a running sum of fractions would depend on all that ever came and went. */
  readonly #scores: ReduceTree;
  readonly #highest: ReduceTree;
  readonly #histogram = new Array<number>(BINS).fill(0);
  readonly #perInstance = new Map<number, number>();
  #size = 0;
  #depths = 0;
  #births = 0;

  constructor(capacity: number, entries: EntryColumns) {
    this.#entries = entries;
    this.#scores = new ReduceTree(capacity, add, 0);
    this.#highest = new ReduceTree(capacity, Math.max, Number.NEGATIVE_INFINITY);
  }

  add(slot: number): void {
    const score = this.#entries.score[slot]!;
    this.#scores.set(slot, score);
    this.#highest.set(slot, score);
    this.#count(slot, 1);
  }

  remove(slot: number): void {
    this.#scores.set(slot, 0);
    this.#highest.set(slot, Number.NEGATIVE_INFINITY);
    this.#count(slot, -1);
  }

  /** Entries by score, in ten bins over [0, 0.25]. */
  get histogram(): readonly number[] {
    return this.#histogram;
  }

  /** Different instances among the entries. */
  get instances(): number {
    return this.#perInstance.size;
  }

  get meanScore(): number | null {
    return this.#size === 0 ? null : this.#scores.total / this.#size;
  }

  get maxScore(): number | null {
    return this.#size === 0 ? null : this.#highest.total;
  }

  get meanDepth(): number | null {
    return this.#size === 0 ? null : this.#depths / this.#size;
  }

  /** Mean step in which the entries entered. */
  get meanBorn(): number | null {
    return this.#size === 0 ? null : this.#births / this.#size;
  }

  #count(slot: number, change: 1 | -1): void {
    const { instance, depth, born, score } = this.#entries;
    this.#size += change;
    this.#depths += change * depth[slot]!;
    this.#births += change * born[slot]!;
    this.#histogram[Math.min(BINS - 1, Math.floor((score[slot]! / MAX_SCORE) * BINS))]! += change;
    const count = (this.#perInstance.get(instance[slot]!) ?? 0) + change;
    if (count === 0) this.#perInstance.delete(instance[slot]!);
    else this.#perInstance.set(instance[slot]!, count);
  }
}
