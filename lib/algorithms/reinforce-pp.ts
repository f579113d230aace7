import { groupMean, overTokens } from './advantages.ts';
import type { Algorithm, RewardGroup } from './algorithm.ts';

const loss = { aggregation: 'token_mean' } as const;
const raw = (groups: readonly RewardGroup[]): number[][] => groups.map(({ rewards }) => rewards.map((r) => r ?? 0));

/** REINFORCE++ (arXiv 2501.03262): rewards normalised over all tokens of the batch, no group baseline. */
export const reinforcePp: Algorithm = { advantages: (groups) => overTokens(groups, raw(groups)), loss };

/** The same after the group mean is taken off. */
export const reinforcePpBaseline: Algorithm = { advantages: (groups) => overTokens(groups, groupMean(groups)), loss };
