// Attempts in, verdicts out.
import type { Environment } from '../environments/environment.ts';
import type { Attempt, Verdict } from '../types.ts';

export interface Judged {
  /** Null where the verifier failed. */
  readonly attempt: Attempt | null;
  readonly status: Verdict['status'];
}

/** Asks the environment about an answer. The tokens are copied: they outlive the sampler's block. */
export async function judge(
  environment: Environment,
  instance: unknown,
  answer: Int32Array,
  history: readonly Attempt[],
): Promise<Judged> {
  const tokens = answer.slice();
  const verdict = await environment.judge(instance, tokens, history);
  if (verdict.status === 'infrastructure_error') return { attempt: null, status: verdict.status };
  const { quality, feedback, status } = verdict;
  if (!(quality >= 0 && quality <= 1)) {
    const answerText = environment.show(tokens);
    throw new RangeError(
      `environment ${environment.name}: quality must lie in [0, 1], got ${quality} for the answer "${answerText}"`,
    );
  }
  return { attempt: { tokens, feedback, quality }, status };
}
