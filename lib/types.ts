// The nouns that flow: task -> curriculum -> rollout -> reward -> batch -> update.
import type { RecordBatch } from 'apache-arrow';
import type { TrainMetrics, UpdateMetrics } from './native/addon.ts';

/** base: the first answer to a task. improve, diverge: a self-iteration step on an earlier answer. */
export type Mode = 'base' | 'improve' | 'diverge';

/** Training and held-out instances never share content (a conformance test of every environment). */
export type Split = 'train' | 'held_out';

/**
 * What a verifier says. An answer that breaks the rules of the task is `invalid` and still has a quality; a verifier
 * that could not do its work (a sandbox died) is an `infrastructure_error`, and nothing is learned from that attempt.
 */
export type Verdict =
  | {
      readonly status: 'valid' | 'invalid';
      readonly quality: number;
      readonly feedback: Int32Array;
      readonly shown?: number;
      /** The answer ends in none of the forms in which answers end: to the overlong filter it is as one that was cut off. */
      readonly unfinished?: boolean;
    }
  | { readonly status: 'infrastructure_error'; readonly reason: string };

/** A judged answer: all that a later self-iteration step may see of it. */
export interface Attempt {
  /** Tokens of the answer alone. */
  readonly tokens: Int32Array;
  /** Tokens the environment answers with; empty where it gives none. */
  readonly feedback: Int32Array;
  /** In [0, 1]. */
  readonly quality: number;
  /** What may be known of the quality where the best answer is kept (`Environment.standing`): a score of other rows. Default: the quality. */
  readonly shown?: number;
}

/** Where one step of self-iteration starts. Markov: the request and the current answer, not the chain before it. */
export interface Task {
  readonly instance: number;
  /** Self-iteration steps before this one: 0 for a base task. The step makes iterate `depth`. */
  readonly depth: number;
  readonly mode: Mode;
  /** The answer to improve; null for a base task. */
  readonly previous: Attempt | null;
  /** The answers that stand from earlier turns; the turn of this step is `history.length`. */
  readonly history: readonly Attempt[];
  /** The buffer entry it was drawn from; null for a fresh base task. */
  readonly entry: number | null;
  /** Step of the run in which that entry was made; null for a fresh base task. */
  readonly born: number | null;
}

/** The attempts at one task, which share its prompt. */
export interface Group {
  readonly task: Task;
  /** Null where the verifier failed. */
  readonly attempts: readonly (Attempt | null)[];
  /** Per attempt, the answers of the turns after this one, with which its episode was completed. */
  readonly later: readonly (readonly Attempt[])[];
  /** Why verdicts are missing, of this turn or later ones: one reason for each. */
  readonly failures: readonly string[];
  readonly invalid: number;
  readonly rewards: readonly (number | null)[];
  /** Completion tokens of each attempt. */
  readonly lengths: readonly number[];
  /** Whether an attempt was cut off at its longest length where it should have ended by itself, or ended in no form that counts. */
  readonly truncated: readonly boolean[];
}

/** Rows of one step in the columns of batch/schema.ts. */
export type Batch = RecordBatch;

/** Seconds spent, by part of the step. Kept apart from the statistics, which are the same in every repetition. */
export interface StepSeconds {
  /** Sampling and judging. */
  readonly rollout: number;
  readonly update: number;
  /** Drawing start points, what is remembered of the groups, the statistics of the step. */
  readonly curriculum: number;
  readonly total: number;
}

/** One line of metrics.jsonl: flat, numbers only, no clock. */
export type StepStats = Readonly<Record<string, number | null>>;

/** What the loop yields after each update. */
export interface Step {
  readonly step: number;
  readonly batch: Batch;
  readonly groups: readonly Group[];
  /** Why verdicts are missing, in all groups, dropped ones too: one reason for each. */
  readonly failures: readonly string[];
  readonly stats: StepStats;
  readonly seconds: StepSeconds;
}

/** What one policy update reports. */
export interface PolicyUpdate {
  readonly lr: number;
  readonly train: TrainMetrics;
  readonly optimizer: UpdateMetrics;
}
