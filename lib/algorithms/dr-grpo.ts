import { groupMean } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** Dr. GRPO (arXiv 2503.20783): no division by the deviation or the length; the longest answer is the denominator. */
export const drGrpo: Algorithm = { advantages: groupMean, loss: { aggregation: 'constant' } };
