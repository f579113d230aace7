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
  /** Answers of an episode, one array for all its start points: those of the turns before `turn` stand here. */
  readonly episode: readonly Attempt[];
  readonly turn: number;
  /** Variance of the returns of a group: measured from here, or the parent's. */
  readonly score: number;
  /** Step of the run in which it entered. */
  readonly born: number;
  /** Step in which the score was measured (the parent's measurement, where inherited). */
  readonly scored: number;
}

/** An entry that has not entered yet. */
export type NewEntry = Omit<Entry, 'id'>;

/** The answers that stand from earlier turns. */
export const historyOf = ({ episode, turn }: Entry): readonly Attempt[] => episode.slice(0, turn);
