// What the metrics say about a buffer, kept up to date entry by entry: a step costs as much as it changes. Everything here
// is a function of what lies in the slots, so a resumed run reports the same numbers.
import type { Entry } from './entry.ts';
import type { EntryColumns } from './entry-columns.ts';
import { add, ReduceTree } from './reduce-tree.ts';
import { SlotHeap } from './slot-heap.ts';
import type { SlotIndex } from './slot-index.ts';

/** The variance of returns in [0, 1] is at most this. */
const MAX_SCORE = 0.25;
const BINS = 10;

export class BufferFacts implements SlotIndex {
  readonly #entry: (slot: number) => Entry;
  /** A tree, since a running sum of fractions would depend on all that ever came and went. */
  readonly #scores: ReduceTree;
  readonly #highest: SlotHeap;
  readonly #histogram = new Array<number>(BINS).fill(0);
  readonly #perInstance = new Map<number, number>();
  #size = 0;
  #depths = 0;
  #births = 0;

  constructor(capacity: number, { score }: EntryColumns, entry: (slot: number) => Entry) {
    this.#entry = entry;
    this.#scores = new ReduceTree(capacity, add, 0);
    this.#highest = new SlotHeap(capacity, (a, b) => score[a]! > score[b]!);
  }

  add(slot: number): void {
    this.#scores.set(slot, this.#entry(slot).score);
    this.#highest.add(slot);
    this.#count(this.#entry(slot), 1);
  }

  remove(slot: number): void {
    this.#scores.set(slot, 0);
    this.#highest.remove(slot);
    this.#count(this.#entry(slot), -1);
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
    return this.#mean(this.#scores.total);
  }

  get maxScore(): number | null {
    return this.#size === 0 ? null : this.#entry(this.#highest.first).score;
  }

  get meanDepth(): number | null {
    return this.#mean(this.#depths);
  }

  /** Mean step in which the entries entered. */
  get meanBorn(): number | null {
    return this.#mean(this.#births);
  }

  #mean(sum: number): number | null {
    return this.#size === 0 ? null : sum / this.#size;
  }

  #count({ instance, depth, born, score }: Entry, change: 1 | -1): void {
    this.#size += change;
    this.#depths += change * depth;
    this.#births += change * born;
    this.#histogram[Math.min(BINS - 1, Math.floor((score / MAX_SCORE) * BINS))]! += change;
    const count = (this.#perInstance.get(instance) ?? 0) + change;
    if (count === 0) this.#perInstance.delete(instance);
    else this.#perInstance.set(instance, count);
  }
}
