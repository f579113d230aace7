// What an attempt is rewarded with. Base steps: the quality. Self-iteration steps: by choice of environment or config.
import type { Attempt } from '../types.ts';

/** plain: the quality itself. improvement: max(0, D / D_max), the share of the possible improvement that was made. */
export type SelfIterationReward = 'plain' | 'improvement';

export const SELF_ITERATION_REWARDS: readonly ['plain', 'improvement'] = ['plain', 'improvement'];

/**
 * Reward of an attempt at a task that started from `previous`; null (unknown, not 0) where the attempt has no verdict.
 * Nothing can be gained from a perfect start: all its attempts get 0, so nothing is learned from them either.
 */
export function reward(kind: SelfIterationReward, attempt: Attempt | null, previous: Attempt | null): number | null {
  if (attempt === null) return null;
  if (previous === null || kind === 'plain') return attempt.quality;
  const possible = 1 - previous.quality;
  return possible <= 0 ? 0 : Math.max(0, (attempt.quality - previous.quality) / possible);
}
