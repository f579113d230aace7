// Which entry is drawn: by score (softmax, rank, top) or by the time since its score was measured. O(log N) each.
import { add, logAddExp, ReduceTree } from './reduce-tree.ts';
import type { Before, SlotIndex } from './slot-index.ts';
import { SlotRanking } from './slot-ranking.ts';

/** A distribution over the occupied slots. */
export interface Sampler extends SlotIndex {
  /** The slot at `u` in [0, 1]. */
  draw(u: number): number;
  /** Probability of a slot. */
  share(slot: number): number;
}

/** P_i ~ exp(logWeight_i). Kept as logarithms: neither a high kappa nor a decay over a long run can overflow. */
export class SoftmaxSampler implements Sampler {
  readonly #tree: ReduceTree;
  readonly #logWeight: (slot: number) => number;

  constructor(capacity: number, logWeight: (slot: number) => number) {
    this.#tree = new ReduceTree(capacity, logAddExp, Number.NEGATIVE_INFINITY);
    this.#logWeight = logWeight;
  }

  add(slot: number): void {
    this.#tree.set(slot, this.#logWeight(slot));
  }

  remove(slot: number): void {
    this.#tree.set(slot, Number.NEGATIVE_INFINITY);
  }

  draw(u: number): number {
    let rest = u;
    return this.#tree.descend((left, right) => {
      const share = 1 / (1 + Math.exp(right - left));
      // With all weight to the left, never walk right, where there may be no entry at all.
      if (rest < share || share === 1) {
        rest /= share;
        return false;
      }
      rest = (rest - share) / (1 - share);
      return true;
    });
  }

  share(slot: number): number {
    return Math.exp(this.#tree.get(slot) - this.#tree.total);
  }
}

/** Probabilities that depend on the rank alone. */
abstract class RankedSampler implements Sampler {
  protected readonly ranking: SlotRanking;

  constructor(capacity: number, before: Before) {
    this.ranking = new SlotRanking(capacity, before);
  }

  add(slot: number): void {
    this.ranking.add(slot);
  }

  remove(slot: number): void {
    this.ranking.remove(slot);
  }

  draw(u: number): number {
    return this.ranking.at(Math.min(this.rankAt(u), this.ranking.size - 1));
  }

  share(slot: number): number {
    return this.shareOf(this.ranking.rankOf(slot));
  }

  protected abstract rankAt(u: number): number;
  protected abstract shareOf(rank: number): number;
}

/** P ~ rank^(-1 / beta), ranks from 1 (Prioritized Level Replay, arXiv 2010.03934). */
export class RankSampler extends RankedSampler {
  /** Weight of the first so many ranks. */
  readonly #upTo: Float64Array;

  constructor(capacity: number, before: Before, beta: number) {
    super(capacity, before);
    this.#upTo = new Float64Array(capacity);
    let sum = 0;
    for (let rank = 0; rank < capacity; rank++) {
      sum += (rank + 1) ** (-1 / beta);
      this.#upTo[rank] = sum;
    }
  }

  protected rankAt(u: number): number {
    const target = u * this.#upTo[this.ranking.size - 1]!;
    let low = 0;
    for (let high = this.ranking.size; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#upTo[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  protected shareOf(rank: number): number {
    return (this.#upTo[rank]! - (this.#upTo[rank - 1] ?? 0)) / this.#upTo[this.ranking.size - 1]!;
  }
}

/** Uniform over the first K (Sampling for Learnability, arXiv 2408.15099). */
export class TopSampler extends RankedSampler {
  readonly #k: number;

  constructor(capacity: number, before: Before, k: number) {
    super(capacity, before);
    this.#k = k;
  }

  protected rankAt(u: number): number {
    const k = Math.min(this.#k, this.ranking.size);
    return Math.min(Math.floor(u * k), k - 1);
  }

  protected shareOf(rank: number): number {
    return rank < this.#k ? 1 / Math.min(this.#k, this.ranking.size) : 0;
  }
}

/**
 * P_i ~ now - t_i, the steps since the score of i was measured. The weights change in every step, but not what they are
 * made of: a subtree with n entries weighs n * now - (sum of its t), and both n and the sum are whole numbers.
 */
export class StalenessSampler implements Sampler {
  readonly #times: ReduceTree;
  readonly #timeOf: (slot: number) => number;
  readonly #now: () => number;
  #size = 0;

  constructor(capacity: number, timeOf: (slot: number) => number, now: () => number) {
    this.#times = new ReduceTree(capacity, add, 0);
    this.#timeOf = timeOf;
    this.#now = now;
  }

  add(slot: number): void {
    this.#times.set(slot, this.#timeOf(slot));
    this.#size++;
  }

  remove(slot: number): void {
    this.#times.set(slot, 0);
    this.#size--;
  }

  draw(u: number): number {
    const now = this.#now();
    let rest = u * (this.#size * now - this.#times.total);
    let width = this.#times.leaves;
    let start = 0; // of the subtree; the slots before #size are occupied
    return this.#times.descend((left) => {
      width /= 2;
      const entries = Math.min(width, this.#size - start);
      const weight = entries * now - left;
      if (rest < weight || start + width >= this.#size) return false;
      rest -= weight;
      start += width;
      return true;
    });
  }

  share(slot: number): number {
    const now = this.#now();
    return (now - this.#times.get(slot)) / (this.#size * now - this.#times.total);
  }
}
