// Attempts in, verdicts out.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../environments/environment.ts';
import { UsageError, UserError } from '../errors.ts';
import type { Attempt, Verdict } from '../types.ts';

export interface Judged {
  /** Null where the verifier failed. */
  readonly attempt: Attempt | null;
  readonly status: Verdict['status'];
  /** Why there is no verdict. */
  readonly reason?: string;
  /** As in the verdict. */
  readonly unfinished?: boolean;
}

/** A verifier that has not answered by then counts as failed; those that may take longer limit themselves. */
const PATIENCE_SECONDS = 600;

const ADVICE = 'put the verifier right and resume the run';

/**
 * Asks the environment about an answer. The tokens are copied: they outlive the sampler's block. A verifier that throws or
 * does not come back has failed (no verdict, nothing learned); one that returns nonsense is a mistake and ends the run, and so is a
 * `UsageError`: the configuration is wrong.
 */
export async function judge(
  environment: Environment,
  instance: unknown,
  answer: Int32Array,
  history: readonly Attempt[],
  patience = PATIENCE_SECONDS,
): Promise<Judged> {
  const tokens = answer.slice();
  const verdict = await ask(environment, instance, tokens, history, patience);
  if (verdict?.status === 'infrastructure_error') {
    return { attempt: null, status: verdict.status, reason: verdict.reason ?? 'no reason given' };
  }
  const problem = problemOf(verdict);
  if (problem !== null) {
    const shown = environment.show(tokens);
    throw new UserError(`environment ${environment.name}: ${problem} for the answer "${shown}"; ${ADVICE}`);
  }
  const { quality, feedback, status, shown, unfinished = false } = verdict;
  return { attempt: { tokens, feedback, quality, ...(shown === undefined ? {} : { shown }) }, status, unfinished };
}

/** What is wrong with a verdict; null when nothing is. The compiler cannot see to it in somebody's JavaScript. */
function problemOf(verdict: Exclude<Verdict, { status: 'infrastructure_error' }> | undefined): string | null {
  if (verdict?.status !== 'valid' && verdict?.status !== 'invalid') {
    return `judge() must return a verdict with a status, got ${JSON.stringify(verdict)}`;
  }
  const { quality, feedback } = verdict;
  if (!(quality >= 0 && quality <= 1)) return `quality must lie in [0, 1], got ${quality}`;
  return feedback instanceof Int32Array ? null : `feedback must be an Int32Array, got ${JSON.stringify(feedback)}`;
}

async function ask(
  environment: Environment,
  instance: unknown,
  tokens: Int32Array,
  history: readonly Attempt[],
  patience: number,
): Promise<Verdict> {
  const failed = (reason: string): Verdict => ({ status: 'infrastructure_error', reason });
  try {
    const verdict = environment.judge(instance, tokens, history);
    if (!(verdict instanceof Promise)) return verdict;
    const done = new AbortController();
    const late = sleep(1000 * patience, failed(`no verdict after ${patience} s`), { signal: done.signal });
    late.catch(() => {});
    try {
      return await Promise.race([verdict, late]);
    } finally {
      done.abort();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error; // not the verifier's failure: no attempt of this run can be judged right
    return failed(error instanceof Error ? error.message : String(error));
  }
}

/** Throws when no attempt at all, or no episode, could be judged: going on would only burn time. */
export function requireVerdicts(environment: Environment, verdicts: number, failures: readonly string[]): void {
  if (verdicts > 0) return;
  throw new UserError(
    `environment ${environment.name}: no attempt could be judged; the first reason: ${failures[0]}; ${ADVICE}`,
    { resumable: true },
  );
}
