import type { Entry } from './entry.ts';

/** What orders and weights entries, by slot: comparing two of a million entries should not fetch both from all over memory. */
export class EntryColumns {
  readonly id: Float64Array;
  readonly score: Float64Array;
  readonly born: Float64Array;
  readonly scored: Float64Array;

  constructor(capacity: number) {
    this.id = new Float64Array(capacity);
    this.score = new Float64Array(capacity);
    this.born = new Float64Array(capacity);
    this.scored = new Float64Array(capacity);
  }

  set(slot: number, { id, score, born, scored }: Entry): void {
    this.id[slot] = id;
    this.score[slot] = score;
    this.born[slot] = born;
    this.scored[slot] = scored;
  }
}
