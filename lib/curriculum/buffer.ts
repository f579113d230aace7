// The task buffer: the N start points with the highest learnability, drawn by a softmax over it. A heap finds the
// lowest score and a tree of sums the drawn entry, so every operation takes O(log N).
import { SumTree } from './sum-tree.ts';
import { SlotHeap } from './slot-heap.ts';
import type { Attempt } from '../types.ts';

/** A start point. */
export interface Entry {
  /** Counts insertions: the older of two entries has the smaller one. */
  readonly id: number;
  readonly instance: number;
  /** Index of the iterate that a step from here makes. */
  readonly depth: number;
  /** The answer shown to that step; null for a base task. */
  readonly previous: Attempt | null;
  /** The answers that stand from earlier turns. */
  readonly history: readonly Attempt[];
  /** Variance of the returns of a group: measured from here, or the parent's. */
  readonly score: number;
  /** Step of the run in which it entered. */
  readonly born: number;
  /** Step in which the score was measured (the parent's measurement, where inherited). */
  readonly scored: number;
}

/** What a buffer is besides its capacity and kappa, as JSON; resumes exactly. */
export interface BufferState {
  readonly nextId: number;
  /** Each attempt once, however many entries start from it. */
  readonly attempts: readonly { tokens: readonly number[]; feedback: readonly number[]; quality: number }[];
  /** In slot order; `previous` and `history` are indices into `attempts`. */
  readonly entries: readonly (Omit<Entry, 'previous' | 'history'> & {
    readonly previous: number | null;
    readonly history: readonly number[];
  })[];
}

export class TaskBuffer {
  readonly capacity: number;
  readonly kappa: number;
  #slots: Entry[] = [];
  #slotOf = new Map<number, number>();
  #nextId = 0;
  readonly #weights: SumTree;
  readonly #lowest: SlotHeap;

  constructor(capacity: number, kappa: number) {
    this.capacity = capacity;
    this.kappa = kappa;
    this.#weights = new SumTree(capacity);
    this.#lowest = new SlotHeap((a, b) => {
      const [x, y] = [this.#slots[a]!, this.#slots[b]!];
      return x.score === y.score ? x.id < y.id : x.score < y.score;
    });
  }

  get size(): number {
    return this.#slots.length;
  }

  /** In slot order. */
  get entries(): readonly Entry[] {
    return this.#slots;
  }

  /** Adds an entry. A full buffer replaces its lowest score, the oldest among equals, unless the newcomer is lower still. */
  insert(start: Omit<Entry, 'id'>): boolean {
    const full = this.size === this.capacity;
    const slot = full ? this.#lowest.first : this.size;
    if (full && start.score < this.#slots[slot]!.score) return false;
    const entry = { ...start, id: this.#nextId++ };
    if (full) this.#slotOf.delete(this.#slots[slot]!.id);
    this.#place(slot, entry);
    if (full) this.#lowest.update(slot);
    else this.#lowest.push(slot);
    return true;
  }

  /** Gives an entry a new score; false when it has been replaced meanwhile. */
  rescore(id: number, score: number, step: number): boolean {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return false;
    this.#place(slot, { ...this.#slots[slot]!, score, scored: step });
    this.#lowest.update(slot);
    return true;
  }

  /** Drops entries that entered before a step: attempts of a policy that is long gone. */
  expire(step: number): void {
    if (!this.#slots.some(({ born }) => born < step)) return;
    this.#fill(this.#slots.filter(({ born }) => born >= step));
  }

  /** The entry at `u` in [0, 1) of the distribution P_i ~ exp(kappa S_i). */
  sample(u: number): Entry {
    const entry = this.#slots[this.#weights.find(u * this.#weights.total)];
    if (entry === undefined) throw new RangeError('the task buffer is empty');
    return entry;
  }

  /** Probability of each entry, in slot order. */
  probabilities(): number[] {
    return this.#slots.map((_, slot) => this.#weights.get(slot) / this.#weights.total);
  }

  save(): BufferState {
    const numbers = new Map<Attempt, number>();
    const numberOf = (attempt: Attempt): number => {
      if (!numbers.has(attempt)) numbers.set(attempt, numbers.size);
      return numbers.get(attempt)!;
    };
    const entries = this.#slots.map((entry) => ({
      ...entry,
      previous: entry.previous === null ? null : numberOf(entry.previous),
      history: entry.history.map(numberOf),
    }));
    const attempts = Array.from(numbers.keys(), ({ tokens, feedback, quality }) => ({
      tokens: [...tokens],
      feedback: [...feedback],
      quality,
    }));
    return { nextId: this.#nextId, attempts, entries };
  }

  /** Slots are kept, since the draw depends on their order. */
  restore(state: BufferState): void {
    const attempts = state.attempts.map(({ tokens, feedback, quality }) => ({
      tokens: Int32Array.from(tokens),
      feedback: Int32Array.from(feedback),
      quality,
    }));
    this.#nextId = state.nextId;
    this.#fill(
      state.entries.slice(0, this.capacity).map((entry) => ({
        ...entry,
        previous: entry.previous === null ? null : attempts[entry.previous]!,
        history: entry.history.map((index) => attempts[index]!),
      })),
    );
  }

  #fill(entries: readonly Entry[]): void {
    this.#slots = [];
    this.#slotOf.clear();
    this.#weights.clear();
    this.#lowest.clear();
    for (const [slot, entry] of entries.entries()) {
      this.#place(slot, entry);
      this.#lowest.push(slot);
    }
  }

  #place(slot: number, entry: Entry): void {
    this.#slots[slot] = entry;
    this.#slotOf.set(entry.id, slot);
    this.#weights.set(slot, Math.exp(this.kappa * (entry.score - 1))); // scores lie in [0, 1]: no overflow
  }
}
