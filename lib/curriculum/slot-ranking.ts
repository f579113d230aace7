import type { Before, SlotIndex } from './slot-index.ts';

/**
 * Slots in order, with access by rank: a treap with the size of every subtree. What it answers depends on the order of
 * its slots alone, not on how it came about. Node n stands for slot n - 1; node 0 is none.
 */
export class SlotRanking implements SlotIndex {
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #count: Int32Array;
  readonly #before: Before;
  #root = 0;

  constructor(capacity: number, before: Before) {
    this.#left = new Int32Array(capacity + 1);
    this.#right = new Int32Array(capacity + 1);
    this.#count = new Int32Array(capacity + 1);
    this.#before = before;
  }

  get size(): number {
    return this.#count[this.#root]!;
  }

  add(slot: number): void {
    this.#root = this.#insert(this.#root, slot + 1);
  }

  remove(slot: number): void {
    this.#root = this.#delete(this.#root, slot + 1);
  }

  /** The slot of a rank; the first has rank 0. */
  at(rank: number): number {
    let node = this.#root;
    for (let rest = rank; ; ) {
      const before = this.#count[this.#left[node]!]!;
      if (rest === before) return node - 1;
      if (rest < before) node = this.#left[node]!;
      else {
        rest -= before + 1;
        node = this.#right[node]!;
      }
    }
  }

  rankOf(slot: number): number {
    let rank = 0;
    for (let node = this.#root; ; ) {
      const before = this.#count[this.#left[node]!]!;
      if (node === slot + 1) return rank + before;
      if (this.#before(slot, node - 1)) node = this.#left[node]!;
      else {
        rank += before + 1;
        node = this.#right[node]!;
      }
    }
  }

  #insert(root: number, node: number): number {
    if (root === 0 || priority(node) > priority(root)) {
      const [left, right] = this.#split(root, node);
      return this.#join(node, left, right);
    }
    return this.#before(node - 1, root - 1)
      ? this.#join(root, this.#insert(this.#left[root]!, node), this.#right[root]!)
      : this.#join(root, this.#left[root]!, this.#insert(this.#right[root]!, node));
  }

  #delete(root: number, node: number): number {
    const left = this.#left[root]!;
    const right = this.#right[root]!;
    if (root === node) return this.#merge(left, right);
    return this.#before(node - 1, root - 1)
      ? this.#join(root, this.#delete(left, node), right)
      : this.#join(root, left, this.#delete(right, node));
  }

  /** The nodes of a subtree before `node`, and those after it. */
  #split(root: number, node: number): [number, number] {
    if (root === 0) return [0, 0];
    if (this.#before(root - 1, node - 1)) {
      const [left, right] = this.#split(this.#right[root]!, node);
      return [this.#join(root, this.#left[root]!, left), right];
    }
    const [left, right] = this.#split(this.#left[root]!, node);
    return [left, this.#join(root, right, this.#right[root]!)];
  }

  #merge(a: number, b: number): number {
    if (a === 0) return b;
    if (b === 0) return a;
    return priority(a) > priority(b)
      ? this.#join(a, this.#left[a]!, this.#merge(this.#right[a]!, b))
      : this.#join(b, this.#merge(a, this.#left[b]!), this.#right[b]!);
  }

  #join(root: number, left: number, right: number): number {
    this.#left[root] = left;
    this.#right[root] = right;
    this.#count[root] = this.#count[left]! + this.#count[right]! + 1;
    return root;
  }
}

/** A hash (the finaliser of MurmurHash3, one to one): slots are filled without regard to it, so the treap is balanced. */
function priority(node: number): number {
  let hash = Math.imul(node ^ (node >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
