import { relativeToMean } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** MaxRL (arXiv 2602.02710): A = (r - mean) / mean of the group, 0 where the mean is 0. Rare successes count most. */
export const maxrl: Algorithm = {
  advantages: relativeToMean,
  loss: { aggregation: 'token_mean' },
};
