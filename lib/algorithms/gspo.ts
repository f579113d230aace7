import { groupStd } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** GSPO (arXiv 2507.18071): one ratio per sequence, clipped within a few 1e-4. */
export const gspo: Algorithm = {
  advantages: (groups) => groupStd(groups),
  loss: { ratio: 'sequence_mean', aggregation: 'sequence_mean', clipLow: 3e-4, clipHigh: 4e-4 },
};
