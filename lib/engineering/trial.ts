// One program, tried: run in the sandbox, its submission graded.
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Language, Limits, Outcome, RunResult } from '../sandbox/types.ts';
import { type Competition, SUBMISSION } from './competition.ts';
import { normalised } from './reward.ts';
import type { Grade } from './submission.ts';

export interface Candidate {
  readonly language: Language;
  readonly source: string;
}

export interface Trial {
  /** Null where there was no program to run. */
  readonly run: RunResult | null;
  /** Null where there is no submission to grade. */
  readonly grade: Grade | null;
  /** Why there is no score, in words for whoever wrote the program; null where there is one. */
  readonly problem: string | null;
  /** Normalised scores in [0, 1], of the rows that are shown and of those that decide; 0 where there is none. */
  readonly shown: number;
  readonly final: number;
}

export interface TrialOptions {
  readonly sandbox: Sandbox;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** Runs and grades a program. Throws a `SandboxError` where that was not possible: such a trial says nothing. */
export async function tryProgram(
  competition: Competition,
  candidate: Candidate,
  options: TrialOptions,
): Promise<Trial> {
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const limits = { ...options.sandbox.limits, ...competition.limits, ...options.limits };
  const run = await options.sandbox.run({
    ...candidate,
    data: competition.data,
    collect: [SUBMISSION],
    limits,
    ...signal,
  });
  const failed = problemOf(run, limits.seconds);
  if (failed !== null) return { run, grade: null, problem: failed, shown: 0, final: 0 };
  const grade = await competition.grade(run.files.get(SUBMISSION)!, signal);
  const { range } = competition;
  if (!grade.valid) return { run, grade, problem: `${SUBMISSION} is not valid: ${grade.reason}`, shown: 0, final: 0 };
  return { run, grade, problem: null, shown: normalised(grade.shown, range), final: normalised(grade.final, range) };
}

/** A trial of an answer without a program. */
export const noProgram = (problem: string): Trial => ({ run: null, grade: null, problem, shown: 0, final: 0 });

const OUTCOMES: Readonly<Record<Exclude<Outcome, 'exited' | 'timeout'>, string>> = {
  cpu: 'it used more CPU time than it may',
  memory: 'it used more memory than it may',
  output: 'it printed more than it may',
  files: 'it wrote more files, or larger ones, than it may',
  signal: 'it crashed',
};

function problemOf({ outcome, exitCode, files, refused }: RunResult, seconds: number): string | null {
  if (outcome === 'timeout') return `the program was stopped: it ran longer than ${seconds} s`;
  if (outcome !== 'exited') return `the program was stopped: ${OUTCOMES[outcome]}`;
  if (exitCode !== 0) return `the program ended with an error (exit code ${exitCode})`;
  const reason = refused.get(SUBMISSION);
  if (reason !== undefined) return `${SUBMISSION} ${reason}`;
  return files.has(SUBMISSION) ? null : `the program wrote no ${SUBMISSION}`;
}
