// Neutral settings that tests change one key at a time.
import type { GenerateSettings, LossSettings, OptimizerSettings, TrainSettings } from '../../lib/native/addon.ts';

export const LOSS: LossSettings = {
  ratio: 'token',
  loss: 'clip',
  clipLow: 0.2,
  clipHigh: 0.2,
  delta: 0,
  cispoLow: 0,
  cispoHigh: 1.28,
  sapoPositive: 1,
  sapoNegative: 1.05,
  aggregation: 'token_mean',
  normaliser: 1,
  klWeight: 0,
  kl: 'k3',
  klCorrected: false,
  importance: 'none',
  importanceMode: 'truncate',
  importanceMin: 0,
  importanceMax: 2,
  entropyWeight: 0,
  topEntropy: 1,
  temperature: 1,
};

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
