// Instances that are there, not drawn: a list for each split.
import type { Split } from '../types.ts';

export class Splits<T> {
  readonly #lists: Readonly<Record<Split, readonly T[]>>;

  constructor(lists: Readonly<Record<Split, readonly T[]>>) {
    this.#lists = lists;
  }

  get sizes(): Record<Split, number> {
    return { train: this.#lists.train.length, held_out: this.#lists.held_out.length };
  }

  /** The instance of a number; numbers beyond the last one begin again. */
  at(number: number, split: Split): T {
    const list = this.#lists[split];
    return list[number % list.length]!;
  }

  all(): T[] {
    return [...this.#lists.train, ...this.#lists.held_out];
  }
}
