import { groupStd } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** DAPO (arXiv 2503.14476): clip-higher and the mean over tokens. Groups without variance have advantage 0 here. */
export const dapo: Algorithm = {
  advantages: (groups) => groupStd(groups),
  loss: { aggregation: 'token_mean', clipLow: 0.2, clipHigh: 0.28 },
};
