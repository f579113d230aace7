import { groupStd } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** CISPO (arXiv 2506.13585): the ratio is a clipped weight without gradient, so no token is left out. */
export const cispo: Algorithm = {
  advantages: (groups) => groupStd(groups),
  loss: { loss: 'cispo', aggregation: 'token_mean', cispoLow: 0, cispoHigh: 1.28 },
};
