import { groupStd } from './advantages.ts';
import type { Algorithm } from './algorithm.ts';

/** SAPO: a sigmoid gate of the ratio in place of the clip. */
export const sapo: Algorithm = {
  advantages: (groups) => groupStd(groups),
  loss: { loss: 'sapo', aggregation: 'sequence_mean' },
};
