/**
 * Weights with their sums in a binary tree. Every inner node is recomputed from its two children, so the state is a
 * function of the weights alone and a restored tree draws exactly as the one that was saved.
 */
export class SumTree {
  readonly #leaves: number;
  readonly #nodes: Float64Array;

  constructor(capacity: number) {
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, capacity)));
    this.#nodes = new Float64Array(2 * this.#leaves);
  }

  get total(): number {
    return this.#nodes[1]!;
  }

  get(index: number): number {
    return this.#nodes[this.#leaves + index]!;
  }

  set(index: number, weight: number): void {
    let node = this.#leaves + index;
    this.#nodes[node] = weight;
    for (node >>= 1; node >= 1; node >>= 1) {
      this.#nodes[node] = this.#nodes[2 * node]! + this.#nodes[2 * node + 1]!;
    }
  }

  /** The index whose share of [0, total) holds `target`. */
  find(target: number): number {
    let node = 1;
    let rest = target;
    while (node < this.#leaves) {
      node *= 2;
      const left = this.#nodes[node]!;
      // Rounding may leave a target at the very end of a subtree without weight: never walk into one.
      if (rest >= left && this.#nodes[node + 1]! > 0) {
        rest -= left;
        node++;
      }
    }
    return node - this.#leaves;
  }

  clear(): void {
    this.#nodes.fill(0);
  }
}
