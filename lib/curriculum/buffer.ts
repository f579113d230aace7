// The task buffer: the N start points with the highest learnability, and the draw of one of them. Heaps find what has to
// leave and samplers what is drawn, so every operation takes O(log N).
import { BufferFacts } from './buffer-facts.ts';
import { type BufferState, restoreEntries, saveEntries } from './buffer-state.ts';
import type { Entry, NewEntry } from './entry.ts';
import { EntryColumns } from './entry-columns.ts';
import { type Sampler, StalenessSampler } from './samplers.ts';
import { type SamplingSettings, scoreSampler } from './sampling.ts';
import { SlotHeap } from './slot-heap.ts';
import type { SlotIndex } from './slot-index.ts';

export interface BufferSettings extends Partial<SamplingSettings> {
  /** Most entries (N). */
  readonly capacity: number;
}

const PLAIN: SamplingSettings = { sampling: 'softmax', kappa: 10, beta: 0.1, topK: null, decay: 1, staleness: 0 };

export class TaskBuffer {
  readonly capacity: number;
  readonly facts: BufferFacts;
  readonly #staleness: number;
  readonly #entries: EntryColumns;
  readonly #slotOf = new Map<number, number>();
  readonly #lowest: SlotHeap;
  /** From the first expiry on: most runs have none. */
  #oldest: SlotHeap | null = null;
  readonly #byScore: Sampler;
  readonly #byAge: Sampler;
  readonly #indexes: SlotIndex[];
  #nextId = 0;
  #measured = 0;

  /** Of the settings only the capacity is needed; those of sampling default to a softmax over scores and nothing else. */
  constructor({ capacity, ...settings }: BufferSettings) {
    const sampling = { ...PLAIN, ...settings };
    this.#entries = new EntryColumns(capacity);
    const { id, score, scored } = this.#entries;
    this.capacity = capacity;
    this.facts = new BufferFacts(capacity, this.#entries);
    this.#staleness = sampling.staleness;
    this.#lowest = new SlotHeap(capacity, (a, b) => (score[a] === score[b] ? id[a]! < id[b]! : score[a]! < score[b]!));
    this.#byScore = scoreSampler(capacity, sampling, this.#entries);
    const now = (): number => this.#measured + 1; // draws of a step come before its measurements
    this.#byAge = new StalenessSampler(capacity, (slot) => scored[slot]!, now);
    const byAge = this.#staleness > 0 ? [this.#byAge] : []; // costs as much as the others
    this.#indexes = [this.#lowest, this.#byScore, this.facts, ...byAge];
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The entry of a slot in 0 .. size - 1. */
  entry(slot: number): Entry {
    return this.#entries.get(slot);
  }

  /** All of them, in slot order: a copy. */
  get entries(): Entry[] {
    return Array.from({ length: this.size }, (_, slot) => this.entry(slot));
  }

  get minScore(): number | null {
    return this.size === 0 ? null : this.#entries.score[this.#lowest.first]!;
  }

  /** Adds an entry. A full buffer replaces its lowest score, the oldest among equals, unless the newcomer is lower still. */
  insert(start: NewEntry): boolean {
    this.#measured = Math.max(this.#measured, start.scored);
    const full = this.size === this.capacity;
    const slot = full ? this.#lowest.first : this.size;
    if (full && start.score < this.#entries.score[slot]!) return false;
    if (full) this.#clear(slot);
    this.#fill(slot, this.#nextId++, start);
    return true;
  }

  /** Gives an entry a new score; false when it has been replaced meanwhile. */
  rescore(id: number, score: number, step: number): boolean {
    this.#measured = Math.max(this.#measured, step);
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return false;
    for (const index of this.#indexes) index.remove(slot);
    this.#entries.score[slot] = score;
    this.#entries.scored[slot] = step;
    for (const index of this.#indexes) index.add(slot);
    return true;
  }

  /** Drops entries that entered before a step: attempts of a policy that is long gone. */
  expire(step: number): void {
    const { born } = this.#entries;
    const oldest = this.#byBirth();
    while (this.size > 0 && born[oldest.first]! < step) this.#drop(oldest.first);
  }

  /** The entry at `u` in [0, 1) of the distribution: by age below rho, by score above. */
  sample(u: number): Entry {
    if (this.size === 0) throw new RangeError('the task buffer is empty');
    const rho = this.#staleness;
    return this.entry(u < rho ? this.#byAge.draw(u / rho) : this.#byScore.draw((u - rho) / (1 - rho)));
  }

  /** Probability of each entry, in slot order. */
  probabilities(): number[] {
    const rho = this.#staleness;
    const byAge = (slot: number): number => (rho > 0 ? rho * this.#byAge.share(slot) : 0);
    return Array.from({ length: this.size }, (_, slot) => byAge(slot) + (1 - rho) * this.#byScore.share(slot));
  }

  /** A copy, except for the attempts, which do not change. */
  save(): BufferState {
    return { nextId: this.#nextId, measured: this.#measured, ...saveEntries(this.#entries) };
  }

  /** Slots are kept, since the draw depends on their order. */
  restore(state: BufferState): void {
    while (this.size > 0) this.#drop(this.size - 1);
    this.#nextId = state.nextId;
    this.#measured = state.measured;
    let slot = 0;
    for (const { id, ...entry } of restoreEntries(state)) if (slot < this.capacity) this.#fill(slot++, id, entry);
  }

  #byBirth(): SlotHeap {
    if (this.#oldest === null) {
      const { id, born } = this.#entries;
      this.#oldest = new SlotHeap(this.capacity, (a, b) =>
        born[a] === born[b] ? id[a]! < id[b]! : born[a]! < born[b]!,
      );
      for (let slot = 0; slot < this.size; slot++) this.#oldest.add(slot);
      this.#indexes.push(this.#oldest);
    }
    return this.#oldest;
  }

  /** Empties a slot; the last entry moves there, so that no gap is left. */
  #drop(slot: number): void {
    const last = this.size - 1;
    this.#clear(slot);
    if (slot !== last) {
      this.#clear(last);
      this.#fill(slot, this.#entries.id[last]!, this.entry(last));
    }
    this.#entries.pop();
  }

  #fill(slot: number, id: number, entry: NewEntry): void {
    this.#entries.set(slot, id, entry);
    this.#slotOf.set(id, slot);
    for (const index of this.#indexes) index.add(slot);
  }

  #clear(slot: number): void {
    for (const index of this.#indexes) index.remove(slot);
    this.#slotOf.delete(this.#entries.id[slot]!);
  }
}
