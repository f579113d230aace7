import { groupMean } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** REINFORCE with the group mean as baseline; no clipping. */
export const reinforce: Algorithm = { advantages: groupMean, loss: { loss: 'nll', aggregation: 'token_mean' } };
