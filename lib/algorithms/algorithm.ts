// An algorithm is a way to turn rewards into advantages plus settings of the one native loss. One file each.
import type { LossSettings } from '../native/addon.ts';

/** Rewards of one group; null: unknown (the verifier failed). */
export interface RewardGroup {
  readonly rewards: readonly (number | null)[];
  /** Trained tokens of each attempt. */
  readonly lengths: readonly number[];
}

export interface Algorithm {
  /** One advantage per attempt, in the order of the groups. */
  readonly advantages: (groups: readonly RewardGroup[]) => number[][];
  /** What differs from DEFAULT_LOSS. */
  readonly loss: Partial<LossSettings>;
}

/** GRPO's clipped surrogate on the whole batch, without a KL term. */
export const DEFAULT_LOSS: LossSettings = {
  ratio: 'token',
  loss: 'clip',
  clipLow: 0.2,
  clipHigh: 0.2,
  delta: 0,
  cispoLow: 0,
  cispoHigh: 1.28,
  sapoPositive: 1,
  sapoNegative: 1.05,
  aggregation: 'sequence_mean',
  normaliser: 1,
  klWeight: 0,
  kl: 'k3',
  klCorrected: false,
  importance: 'none',
  importanceMode: 'truncate',
  importanceMin: 0,
  importanceMax: 2,
  entropyWeight: 0,
  topEntropy: 1,
  temperature: 1,
};
