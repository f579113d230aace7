// A competition as whoever solves it meets it, and as whoever grades it does.
import type { Limits } from '../sandbox/types.ts';
import type { Leaderboard } from './leaderboard.ts';
import type { Range } from './reward.ts';
import type { Grade } from './submission.ts';

/** Grading may take as long as a program. */
export interface GradingContext {
  readonly signal?: AbortSignal;
}

export interface Competition {
  readonly id: string;
  readonly name: string;
  /** Markdown: the task, the files, the metric. Holds nothing that is hidden. */
  readonly description: string;
  /** The folder that programs read. No answer is in it. */
  readonly data: string;
  /** What a submission looks like: a file in `data`. */
  readonly sample: string;
  readonly better: 'higher' | 'lower';
  /** Of the score that is shown and of the one that decides. */
  readonly range: Range;
  /** Others' scores, by the score that decides; null where nobody took part. */
  readonly leaderboard: Leaderboard | null;
  /** What programs may use beyond the sandbox's defaults. */
  readonly limits?: Partial<Limits>;
  /** Scores the bytes of a submission. Throws only when the grader itself fails. */
  grade(submission: Uint8Array, context?: GradingContext): Promise<Grade>;
}

/** The name under which a program leaves its answers. */
export const SUBMISSION = 'submission.csv';
