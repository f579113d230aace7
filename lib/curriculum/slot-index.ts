/**
 * Something that is kept about the entries of a buffer. Entries lie in slots 0 .. size - 1. An entry changes by being
 * removed and added again; `remove` runs while the slot still holds it, `add` when the slot holds it already.
 */
export interface SlotIndex {
  add(slot: number): void;
  remove(slot: number): void;
}

/** Whether one slot comes before another: a total order, so that what comes first depends on nothing else. */
export type Before = (a: number, b: number) => boolean;
