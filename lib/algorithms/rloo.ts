import { leaveOneOut } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** RLOO (arXiv 2402.14740): the mean of the others is the baseline; one ratio per sequence. */
export const rloo: Algorithm = {
  advantages: leaveOneOut,
  loss: { ratio: 'sequence_sum', aggregation: 'sequence_mean' },
};
