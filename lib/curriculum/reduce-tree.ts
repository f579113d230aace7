/**
 * Numbers with their total under an operation (a sum, say) in a binary tree. Every inner node is recomputed from its two
 * children, so totals are a function of the numbers alone: a restored tree gives exactly those of the one that was saved.
 * Changes reach the inner nodes when somebody asks: those of a step share most of their way to the root.
 */
export class ReduceTree {
  /** Places for numbers: a power of two. */
  readonly leaves: number;
  readonly #nodes: Float64Array;
  readonly #combine: (left: number, right: number) => number;
  /** Leaves that changed since the inner nodes were computed; a quarter of the leaves at most. */
  readonly #waiting: Int32Array;
  #waits = 0;
  /** By node: the pass that computed it last. */
  readonly #pass: Uint32Array;
  #passes = 0;

  /** `empty` changes nothing when combined. */
  constructor(capacity: number, combine: (left: number, right: number) => number, empty: number) {
    this.leaves = 2 ** Math.ceil(Math.log2(Math.max(1, capacity)));
    this.#nodes = new Float64Array(2 * this.leaves).fill(empty);
    this.#combine = combine;
    this.#waiting = new Int32Array(Math.max(1, this.leaves >> 2));
    this.#pass = new Uint32Array(this.leaves);
  }

  get total(): number {
    this.#passOn();
    return this.#nodes[1]!;
  }

  get(index: number): number {
    return this.#nodes[this.leaves + index]!;
  }

  set(index: number, value: number): void {
    const leaf = this.leaves + index;
    this.#nodes[leaf] = value;
    this.#waiting[this.#waits++] = leaf;
    if (this.#waits === this.#waiting.length) this.#passOn();
  }

  /** Level by level, every inner node above a change once. */
  #passOn(): void {
    if (this.#waits === 0) return;
    const level = this.#waiting; // the parents take the place of the children
    let count = this.#waits;
    this.#waits = 0;
    this.#passes++;
    while (level[0]! > 1) {
      let above = 0;
      for (let i = 0; i < count; i++) {
        const node = level[i]! >> 1;
        if (this.#pass[node] === this.#passes) continue;
        this.#pass[node] = this.#passes;
        this.#nodes[node] = this.#combine(this.#nodes[2 * node]!, this.#nodes[2 * node + 1]!);
        level[above++] = node;
      }
      count = above;
    }
  }

  /** Walks from the root to a number: `toRight` hears the totals of both halves and chooses. */
  descend(toRight: (left: number, right: number) => boolean): number {
    this.#passOn();
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
