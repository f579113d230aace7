// What scores are worth (arXiv 2509.04575, machine-learning engineering).

/** A score between the two that count as nothing and as perfect. Either may be the larger one. */
export interface Range {
  readonly worst: number;
  readonly best: number;
}

/** (score - worst) / (best - worst), at least 0 and at most 1; 0 for an invalid submission (null). */
export function normalised(score: number | null, { worst, best }: Range): number {
  if (score === null || !Number.isFinite(score) || worst === best) return 0;
  return Math.min(1, Math.max(0, (score - worst) / (best - worst)));
}

/**
 * Reward of an improve step: the share of the possible gain, max(0, (now - before) / (1 - before)), of normalised scores.
 * 0 where nothing was left to gain.
 */
export function improvement(now: number, before: number): number {
  return before >= 1 ? 0 : Math.max(0, (now - before) / (1 - before));
}
