// Our side of every contest.
import type { LossSettings, NativeModel } from '../../lib/native/addon.ts';
import { addon } from '../../lib/native/load.ts';
import { DEFAULT_LOSS } from '../../lib/algorithms/algorithm.ts';
import type { BenchOptions } from './options.ts';
import { type BenchModel, configJson } from './models.ts';

export { addon };

export const OURS = 'exit-rl';

export const version = (options: BenchOptions): string => `${addon.doctor().simd}, ${options.threads} threads`;

export async function createModel(model: BenchModel, options: BenchOptions): Promise<NativeModel> {
  addon.setThreads(options.threads);
  return addon.createModel(configJson(model), 1);
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
