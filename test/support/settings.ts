// Neutral settings that tests change one key at a time.
import { DEFAULT_LOSS } from '../../lib/algorithms/algorithm.ts';
import type { GenerateSettings, LossSettings, OptimizerSettings, TrainSettings } from '../../lib/native/addon.ts';

export const LOSS: LossSettings = { ...DEFAULT_LOSS, aggregation: 'token_mean' };

/** Mean cross-entropy over the tokens in the mask (with token_advantage 1). */
export const NLL: LossSettings = { ...LOSS, loss: 'nll' };

export const TRAIN: TrainSettings = { microBatchTokens: 8192, recompute: 'none' };

export const GENERATE: GenerateSettings = {
  samplesPerPrompt: 1,
  maxNewTokens: 16,
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  stopTokens: [],
  stopSequences: [],
  seed: 0,
  firstSequence: 0,
  pages: 0,
  maxRunning: 256,
  prefillTokens: 2048,
  keepPrefixes: false,
  embed: false,
};

/** An update that changes nothing: it only measures the gradient norm and clears the gradients. */
export const STAND_STILL: OptimizerSettings = {
  lr: 0,
  beta1: 0.9,
  beta2: 0.95,
  eps: 1e-8,
  weightDecay: 0,
  decay: 'none',
  maxGradNorm: 0,
};
