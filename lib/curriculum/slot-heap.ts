import type { Before, SlotIndex } from './slot-index.ts';

/** A binary heap of slots that knows where each of them is, so any can be removed. */
export class SlotHeap implements SlotIndex {
  readonly #heap: Int32Array;
  readonly #position: Int32Array;
  readonly #before: Before;
  #size = 0;

  constructor(capacity: number, before: Before) {
    this.#heap = new Int32Array(capacity);
    this.#position = new Int32Array(capacity);
    this.#before = before;
  }

  /** The slot that comes before all others. */
  get first(): number {
    return this.#heap[0]!;
  }

  add(slot: number): void {
    this.#put(this.#size++, slot);
    this.#up(this.#size - 1);
  }

  remove(slot: number): void {
    const index = this.#position[slot]!;
    const last = this.#heap[--this.#size]!;
    if (last === slot) return;
    this.#put(index, last);
    this.#up(index);
    this.#down(this.#position[last]!);
  }

  #put(index: number, slot: number): void {
    this.#heap[index] = slot;
    this.#position[slot] = index;
  }

  #swapIfBefore(child: number, parent: number): boolean {
    const a = this.#heap[child]!;
    const b = this.#heap[parent]!;
    if (!this.#before(a, b)) return false;
    this.#put(parent, a);
    this.#put(child, b);
    return true;
  }

  #up(start: number): void {
    for (let index = start; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  #down(start: number): void {
    for (let index = start; ; ) {
      const left = 2 * index + 1;
      if (left >= this.#size) return;
      const right = left + 1;
      const child = right < this.#size && this.#before(this.#heap[right]!, this.#heap[left]!) ? right : left;
      if (!this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }
}
