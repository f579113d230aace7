// What an attempt is rewarded with. Base steps: the quality of the episode. Self-iteration steps: by choice of environment
// or config.
import type { EpisodeQuality } from '../environments/environment.ts';
import { episodeQuality } from '../environments/episode.ts';
import type { Attempt } from '../types.ts';

/**
 * plain: the quality of the whole episode. improvement: max(0, D / D_max), the share of the possible improvement over the
 * previous answer that was made. signed: q + D, which punishes breaking what was right (SCoRe, arXiv 2409.12917; PAG,
 * arXiv 2506.10406).
 */
export const SELF_ITERATION_REWARDS = ['plain', 'improvement', 'signed'] as const;
type RewardName = (typeof SELF_ITERATION_REWARDS)[number];
/** One of them, or several with weights: { plain: 0.5, improvement: 0.5 }. */
export type SelfIterationReward = RewardName | Readonly<Partial<Record<RewardName, number | undefined>>>;

/** An attempt with all that its episode became. */
export interface Outcome {
  readonly attempt: Attempt;
  readonly history: readonly Attempt[];
  readonly later: readonly Attempt[];
  readonly rule: EpisodeQuality | undefined;
  /** The answer it started from; null for a base step. */
  readonly previous: Attempt | null;
}

/**
 * Reward of an attempt; null (unknown, not 0) where it or a later turn has no verdict. Nothing can be gained from a perfect
 * start: with `improvement` all its attempts get 0, so nothing is learned from them either.
 */
export function reward(kind: SelfIterationReward, outcome: Outcome | null): number | null {
  if (outcome === null) return null;
  const { attempt, previous, history, later, rule } = outcome;
  const whole = episodeQuality([...history, attempt, ...later], rule);
  if (previous === null || kind === 'plain') return whole;
  const gain = attempt.quality - previous.quality;
  const possible = 1 - previous.quality;
  const values: Record<RewardName, number> = {
    plain: whole,
    improvement: possible <= 0 ? 0 : Math.max(0, gain / possible),
    signed: attempt.quality + gain,
  };
  if (typeof kind === 'string') return values[kind];
  return SELF_ITERATION_REWARDS.reduce((sum, name) => sum + (kind[name] ?? 0) * values[name], 0);
}
