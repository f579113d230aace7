import { groupStd } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** GRPO (arXiv 2402.03300): rewards standardised within the group, mean over sequences. */
export const grpo: Algorithm = { advantages: (groups) => groupStd(groups), loss: { aggregation: 'sequence_mean' } };
