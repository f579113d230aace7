// One policy-gradient update over a batch.
import type { Config, OptimizerConfig } from '../config/schema.ts';
import { withTokenValues } from '../batch/token-values.ts';
import type { LossSettings, NativeModel, OptimizerSettings, TrainMetrics, UpdateMetrics } from '../native/addon.ts';
import { describeBatch } from '../native/bridge.ts';
import { learningRate } from '../schedule.ts';
import type { Batch, PolicyUpdate } from '../types.ts';
import { DEFAULT_LOSS } from './algorithm.ts';
import { ALGORITHMS } from './registry.ts';

type Settings = Pick<Config, 'algorithm' | 'optimizer' | 'rollout' | 'train'>;

/** The loss of a configuration: defaults, then the algorithm's, then the user's. `answerTokens` is the longest answer. */
export function lossSettings(
  { algorithm, rollout }: Pick<Config, 'algorithm' | 'rollout'>,
  answerTokens: number,
): LossSettings {
  const own = Object.fromEntries(Object.entries(algorithm.loss).filter(([, value]) => value !== undefined));
  const { loss } = ALGORITHMS[algorithm.name];
  return { ...DEFAULT_LOSS, normaliser: answerTokens, ...loss, ...own, temperature: rollout.temperature };
}

/** The optimizer's settings at one step of a schedule. */
export function optimizerSettings(
  { schedule, ...settings }: OptimizerConfig,
  step: number,
  steps: number,
): OptimizerSettings {
  return { ...settings, lr: learningRate(schedule, settings.lr, step, steps) };
}

/** Loss, gradient and optimizer step, once per epoch. Reports the first epoch's loss and the last one's step. */
export async function updatePolicy(
  model: NativeModel,
  batch: Batch,
  settings: Settings,
  loss: LossSettings,
  step: number,
): Promise<PolicyUpdate> {
  const { microBatchTokens, recompute, steps } = settings.train;
  const optimizer = optimizerSettings(settings.optimizer, step, steps);
  if (loss.klWeight > 0) await moveReference(model, settings.algorithm.reference, step);
  const rows = loss.klWeight > 0 ? await withReference(model, batch, loss.temperature, microBatchTokens) : batch;
  const column = describeBatch(rows);
  let first: TrainMetrics | null = null;
  let last: UpdateMetrics | null = null;
  for (let epoch = 0; epoch < settings.algorithm.epochs; epoch++) {
    const metrics = await model.accumulate(column, loss, { microBatchTokens, recompute });
    first ??= metrics;
    last = await model.update(optimizer);
  }
  return { lr: optimizer.lr, train: first!, optimizer: last! };
}

/** Every M steps reference = alpha * policy + (1 - alpha) * reference; it starts as a copy. */
async function moveReference(
  model: NativeModel,
  { every, alpha }: Config['algorithm']['reference'],
  step: number,
): Promise<void> {
  if (!model.hasReference) await model.updateReference(1);
  else if (every > 0 && step > 0 && step % every === 0) await model.updateReference(alpha);
}

async function withReference(
  model: NativeModel,
  batch: Batch,
  temperature: number,
  microBatchTokens: number,
): Promise<Batch> {
  const scored = await model.score(describeBatch(batch), { temperature, weights: 'reference', microBatchTokens });
  return withTokenValues(batch, 'ref_logprob', scored.logprob);
}
