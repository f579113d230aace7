import { SlotHeap } from './slot-heap.ts';

/** Hashes are uniform in [0, 2^53). */
const HASHES = 2 ** 53;
const KEPT = 2 ** 16;

/**
 * How many different things were met, in bounded memory: the 65,536 smallest hashes are kept (Bar-Yossef et al. 2002). The
 * count is exact below that many and from there on an estimate with a standard error of 0.4 %. It depends on the things alone,
 * not on their order, and never falls.
 */
export class DistinctCount {
  readonly #limit: number;
  readonly #known = new Set<number>();
  readonly #hashes: Float64Array;
  /** Once there are so many that some have to go. */
  #largest: SlotHeap | null = null;

  constructor(limit = KEPT) {
    this.#limit = limit;
    this.#hashes = new Float64Array(limit);
  }

  get count(): number {
    const { size } = this.#known;
    if (size < this.#limit) return size;
    return Math.max(size, Math.round(((size - 1) * HASHES) / this.#hashes[this.#byHash().first]!));
  }

  /** Hears of a thing by its hash: a whole number in [0, 2^53) that is as good as random. */
  add(hash: number): void {
    if (this.#known.has(hash)) return;
    const { size } = this.#known;
    if (size < this.#limit) {
      this.#hashes[size] = hash;
      this.#known.add(hash);
      return;
    }
    const largest = this.#byHash();
    const slot = largest.first;
    if (hash > this.#hashes[slot]!) return;
    largest.remove(slot);
    this.#known.delete(this.#hashes[slot]!);
    this.#hashes[slot] = hash;
    this.#known.add(hash);
    largest.add(slot);
  }

  /** The kept hashes, ascending. */
  save(): Float64Array {
    return this.#hashes.slice(0, this.#known.size).sort();
  }

  /** The kept hashes, largest first. */
  #byHash(): SlotHeap {
    if (this.#largest === null) {
      this.#largest = new SlotHeap(this.#limit, (a, b) => this.#hashes[a]! > this.#hashes[b]!);
      for (let slot = 0; slot < this.#limit; slot++) this.#largest.add(slot);
    }
    return this.#largest;
  }
}
