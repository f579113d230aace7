/** A binary heap of slot numbers that knows where each slot is, so one whose order changed can be moved. */
export class SlotHeap {
  #heap: number[] = [];
  #position: number[] = [];
  readonly #before: (a: number, b: number) => boolean;

  constructor(before: (a: number, b: number) => boolean) {
    this.#before = before;
  }

  /** The slot that comes before all others. */
  get first(): number {
    return this.#heap[0]!;
  }

  push(slot: number): void {
    this.#put(this.#heap.length, slot);
    this.#up(this.#heap.length - 1);
  }

  /** To be called when the order of `slot` has changed. */
  update(slot: number): void {
    this.#up(this.#position[slot]!);
    this.#down(this.#position[slot]!);
  }

  clear(): void {
    this.#heap = [];
    this.#position = [];
  }

  #put(index: number, slot: number): void {
    this.#heap[index] = slot;
    this.#position[slot] = index;
  }

  #swapIfBefore(child: number, parent: number): boolean {
    const [a, b] = [this.#heap[child]!, this.#heap[parent]!];
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
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const child = right < this.#heap.length && this.#before(this.#heap[right]!, this.#heap[left]!) ? right : left;
      if (!this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }
}
