/**
 * Numbers with their total under an operation (a sum, say) in a binary tree. Every inner node is recomputed from its two
 * children, so totals are a function of the numbers alone: a restored tree gives exactly those of the one that was saved.
 */
export class ReduceTree {
  /** Places for numbers: a power of two. */
  readonly leaves: number;
  readonly #nodes: Float64Array;
  readonly #combine: (left: number, right: number) => number;

  /** `empty` changes nothing when combined. */
  constructor(capacity: number, combine: (left: number, right: number) => number, empty: number) {
    this.leaves = 2 ** Math.ceil(Math.log2(Math.max(1, capacity)));
    this.#nodes = new Float64Array(2 * this.leaves).fill(empty);
    this.#combine = combine;
  }

  get total(): number {
    return this.#nodes[1]!;
  }

  get(index: number): number {
    return this.#nodes[this.leaves + index]!;
  }

  set(index: number, value: number): void {
    let node = this.leaves + index;
    this.#nodes[node] = value;
    for (node >>= 1; node >= 1; node >>= 1) {
      this.#nodes[node] = this.#combine(this.#nodes[2 * node]!, this.#nodes[2 * node + 1]!);
    }
  }

  /** Walks from the root to a number: `toRight` hears the totals of both halves and chooses. */
  descend(toRight: (left: number, right: number) => boolean): number {
    let node = 1;
    while (node < this.leaves) {
      node *= 2;
      if (toRight(this.#nodes[node]!, this.#nodes[node + 1]!)) node++;
    }
    return node - this.leaves;
  }
}

export const add = (a: number, b: number): number => a + b;

/** log(exp(a) + exp(b)) without overflow. */
export function logAddExp(a: number, b: number): number {
  const high = Math.max(a, b);
  const low = Math.min(a, b);
  return low === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(low - high));
}
