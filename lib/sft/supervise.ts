// Supervised steps: the same update as the loop's, with the plain negative log-likelihood of the tokens in the mask.
import { DEFAULT_LOSS } from '../algorithms/algorithm.ts';
import { optimizerSettings } from '../algorithms/update.ts';
import { exampleBatch } from '../batch/supervised.ts';
import type { Config, OptimizerConfig } from '../config/schema.ts';
import type { LossSettings, NativeModel } from '../native/addon.ts';
import { describeBatch } from '../native/bridge.ts';
import type { StepStats } from '../types.ts';
import type { Example } from './example.ts';

const LOSS: LossSettings = { ...DEFAULT_LOSS, loss: 'nll', aggregation: 'token_mean' };

export interface Supervision {
  /** In all: the schedule of the learning rate ends there. */
  readonly steps: number;
  readonly optimizer: OptimizerConfig;
  readonly train: Pick<Config['train'], 'microBatchTokens' | 'recompute'>;
  /** The examples of a step; a function of its number alone, so that a run can go on anywhere. */
  examples(step: number): readonly Example[];
}

/** Yields after every step from `first` on: the step's number (from 1), loss in nats per token, tokens trained on. */
export async function* supervise(model: NativeModel, supervision: Supervision, first = 0): AsyncGenerator<StepStats> {
  const { steps, optimizer, train } = supervision;
  for (let step = first; step < steps; step++) {
    const batch = describeBatch(exampleBatch(supervision.examples(step)));
    const metrics = await model.accumulate(batch, LOSS, train);
    const settings = optimizerSettings(optimizer, step, steps);
    const { gradNorm } = await model.update(settings);
    yield { step: step + 1, loss: metrics.loss, tokens: metrics.tokens, gradNorm, lr: settings.lr };
  }
}

/** Mean negative log-likelihood, in nats, of the tokens in the masks; null where there are none. */
export async function exampleLoss(
  model: NativeModel,
  examples: readonly Example[],
  microBatchTokens: number,
): Promise<number | null> {
  const batch = exampleBatch(examples);
  const { logprob } = await model.score(describeBatch(batch), { temperature: 1, weights: 'policy', microBatchTokens });
  let sum = 0;
  let count = 0;
  let at = 0;
  for (const { mask } of examples) {
    for (const [i, trained] of mask.entries()) {
      if (trained === 0) continue;
      sum -= logprob[at + i]!;
      count++;
    }
    at += mask.length;
  }
  return count === 0 ? null : sum / count;
}
