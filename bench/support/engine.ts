// Our side of every contest.
import type { LossSettings, NativeModel } from '../../lib/native/addon.ts';
import { addon } from '../../lib/native/load.ts';
import { DEFAULT_LOSS } from '../../lib/algorithms/algorithm.ts';
import type { BenchOptions } from './options.ts';
import { type BenchModel, configJson } from './models.ts';

export { addon };

export const OURS = 'exit-rl';

export const version = ({ threads, dtype }: BenchOptions): string => {
  const { simd, bf16 } = addon.doctor();
  return `${dtype}, ${dtype === 'bfloat16' && bf16 !== 'vector' ? bf16 : simd}, ${threads} threads`;
};

export async function createModel(model: BenchModel, options: BenchOptions): Promise<NativeModel> {
  addon.setThreads(options.threads);
  return addon.createModel(configJson(model), 1, { dtype: options.dtype });
}

export const ADAMW = {
  lr: 1e-4,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0.1,
  decay: 'matrices',
  maxGradNorm: 1,
} as const;

export const LOSS: LossSettings = { ...DEFAULT_LOSS, aggregation: 'token_mean', temperature: 1 };
