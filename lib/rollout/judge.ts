// Attempts in, verdicts out.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../environments/environment.ts';
import type { Attempt, Verdict } from '../types.ts';

export interface Judged {
  /** Null where the verifier failed. */
  readonly attempt: Attempt | null;
  readonly status: Verdict['status'];
  /** Why there is no verdict. */
  readonly reason?: string;
}

/** A verifier that has not answered by then counts as failed; those that may take longer limit themselves. */
const PATIENCE_SECONDS = 600;

/**
 * Asks the environment about an answer. The tokens are copied: they outlive the sampler's block. A verifier that throws or
 * does not come back has failed (no verdict, nothing learned); one that returns nonsense is a mistake and ends the run.
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
  if (verdict.status === 'infrastructure_error')
    return { attempt: null, status: verdict.status, reason: verdict.reason };
  const { quality, feedback, status } = verdict;
  if (!(quality >= 0 && quality <= 1)) {
    const answerText = environment.show(tokens);
    throw new RangeError(
      `environment ${environment.name}: quality must lie in [0, 1], got ${quality} for the answer "${answerText}"`,
    );
  }
  return { attempt: { tokens, feedback, quality }, status };
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
    return failed(error instanceof Error ? error.message : String(error));
  }
}

/** Throws when no attempt at all could be judged: going on would only burn time. */
export function requireVerdicts(environment: Environment, judged: readonly Judged[]): void {
  if (judged.length === 0 || judged.some(({ attempt }) => attempt !== null)) return;
  throw new Error(
    `environment ${environment.name}: no attempt could be judged; the first reason: ${judged[0]!.reason ?? 'none given'}. ` +
      'Put the verifier right and resume the run',
  );
}
