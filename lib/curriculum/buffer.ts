// The task buffer: the N start points with the highest learnability, and the draw of one of them. Heaps find what has to
// leave and samplers what is drawn, so every operation takes O(log N).
import { BufferFacts } from './buffer-facts.ts';
import { type BufferState, restoreEntries, saveEntries } from './buffer-state.ts';
import type { Entry } from './entry.ts';
import { EntryColumns } from './entry-columns.ts';
import { type Sampler, StalenessSampler } from './samplers.ts';
import { type SamplingSettings, scoreSampler } from './sampling.ts';
import { SlotHeap } from './slot-heap.ts';
import type { Before, SlotIndex } from './slot-index.ts';

export interface BufferSettings extends Partial<SamplingSettings> {
  /** Most entries (N). */
  readonly capacity: number;
}

const PLAIN: SamplingSettings = { sampling: 'softmax', kappa: 10, beta: 0.1, topK: null, decay: 1, staleness: 0 };

export class TaskBuffer {
  readonly capacity: number;
  readonly facts: BufferFacts;
  readonly #staleness: number;
  readonly #slots: Entry[] = [];
  readonly #columns: EntryColumns;
  readonly #slotOf = new Map<number, number>();
  readonly #lowest: SlotHeap;
  readonly #oldest: SlotHeap;
  readonly #byScore: Sampler;
  readonly #byAge: Sampler;
  readonly #indexes: readonly SlotIndex[];
  #nextId = 0;
  #measured = 0;

  /** Of the settings only the capacity is needed; those of sampling default to a softmax over scores and nothing else. */
  constructor({ capacity, ...settings }: BufferSettings) {
    const sampling = { ...PLAIN, ...settings };
    this.#columns = new EntryColumns(capacity);
    const { id, score, born, scored } = this.#columns;
    this.capacity = capacity;
    this.facts = new BufferFacts(capacity, this.#columns, (slot) => this.#slots[slot]!);
    this.#staleness = sampling.staleness;
    const lower = (values: Float64Array): Before => {
      return (a, b) => (values[a] === values[b] ? id[a]! < id[b]! : values[a]! < values[b]!);
    };
    this.#lowest = new SlotHeap(capacity, lower(score));
    this.#oldest = new SlotHeap(capacity, lower(born));
    this.#byScore = scoreSampler(capacity, sampling, this.#columns);
    const now = (): number => this.#measured + 1; // draws of a step come before its measurements
    this.#byAge = new StalenessSampler(capacity, (slot) => scored[slot]!, now);
    const byAge = this.#staleness > 0 ? [this.#byAge] : []; // costs as much as the others
    this.#indexes = [this.#lowest, this.#oldest, this.#byScore, this.facts, ...byAge];
  }

  get size(): number {
    return this.#slots.length;
  }

  /** In slot order. */
  get entries(): readonly Entry[] {
    return this.#slots;
  }

  get minScore(): number | null {
    return this.size === 0 ? null : this.#slots[this.#lowest.first]!.score;
  }

  /** Adds an entry. A full buffer replaces its lowest score, the oldest among equals, unless the newcomer is lower still. */
  insert(start: Omit<Entry, 'id'>): boolean {
    this.#measured = Math.max(this.#measured, start.scored);
    const full = this.size === this.capacity;
    const slot = full ? this.#lowest.first : this.size;
    if (full && start.score < this.#slots[slot]!.score) return false;
    if (full) this.#clear(slot);
    this.#fill(slot, { ...start, id: this.#nextId++ });
    return true;
  }

  /** Gives an entry a new score; false when it has been replaced meanwhile. */
  rescore(id: number, score: number, step: number): boolean {
    this.#measured = Math.max(this.#measured, step);
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return false;
    const entry = this.#clear(slot);
    this.#fill(slot, { ...entry, score, scored: step });
    return true;
  }

  /** Drops entries that entered before a step: attempts of a policy that is long gone. */
  expire(step: number): void {
    while (this.size > 0 && this.#slots[this.#oldest.first]!.born < step) this.#drop(this.#oldest.first);
  }

  /** The entry at `u` in [0, 1) of the distribution: by age below rho, by score above. */
  sample(u: number): Entry {
    if (this.size === 0) throw new RangeError('the task buffer is empty');
    const rho = this.#staleness;
    return this.#slots[u < rho ? this.#byAge.draw(u / rho) : this.#byScore.draw((u - rho) / (1 - rho))]!;
  }

  /** Probability of each entry, in slot order. */
  probabilities(): number[] {
    const rho = this.#staleness;
    const byAge = (slot: number): number => (rho > 0 ? rho * this.#byAge.share(slot) : 0);
    return this.#slots.map((_, slot) => byAge(slot) + (1 - rho) * this.#byScore.share(slot));
  }

  save(): BufferState {
    return { nextId: this.#nextId, measured: this.#measured, ...saveEntries(this.#slots) };
  }

  /** Slots are kept, since the draw depends on their order. */
  restore(state: BufferState): void {
    while (this.size > 0) this.#drop(this.size - 1);
    this.#nextId = state.nextId;
    this.#measured = state.measured;
    for (const [slot, entry] of restoreEntries(state).slice(0, this.capacity).entries()) this.#fill(slot, entry);
  }

  /** Empties a slot; the last entry moves there, so that no gap is left. */
  #drop(slot: number): void {
    const last = this.size - 1;
    this.#clear(slot);
    if (slot !== last) this.#fill(slot, this.#clear(last));
    this.#slots.length = last;
  }

  #fill(slot: number, entry: Entry): void {
    this.#slots[slot] = entry;
    this.#columns.set(slot, entry);
    this.#slotOf.set(entry.id, slot);
    for (const index of this.#indexes) index.add(slot);
  }

  #clear(slot: number): Entry {
    const entry = this.#slots[slot]!;
    for (const index of this.#indexes) index.remove(slot);
    this.#slotOf.delete(entry.id);
    return entry;
  }
}
