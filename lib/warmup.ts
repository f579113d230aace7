// Supervised warm-up: imitates an environment's demonstrations through the same update as the loop, with the plain
// negative log-likelihood of the answers.
import { DEFAULT_LOSS } from './algorithms/algorithm.ts';
import { optimizerSettings } from './algorithms/update.ts';
import { demonstrationBatch } from './batch/supervised.ts';
import type { Config } from './config/schema.ts';
import type { Environment } from './environments/environment.ts';
import { UsageError } from './errors.ts';
import type { LossSettings, NativeModel } from './native/addon.ts';
import { describeBatch } from './native/bridge.ts';
import { Random } from './rng.ts';
import type { StepStats } from './types.ts';

const LOSS: LossSettings = { ...DEFAULT_LOSS, loss: 'nll', aggregation: 'token_mean' };

/** Yields after every supervised step; resumes at `first` like the loop does. */
export async function* warmUp(
  config: Config,
  environment: Environment,
  model: NativeModel,
  first = 0,
): AsyncGenerator<StepStats> {
  const { steps, batch: size, optimizer } = config.warmup;
  const { microBatchTokens, recompute } = config.train;
  for (let step = first; step < steps; step++) {
    const random = new Random(config.seed, 'warmup', step);
    const demonstrations = Array.from({ length: size }, () => {
      const demonstration = environment.demonstration(random);
      if (demonstration === null) {
        throw new UsageError(`environment ${environment.name} has no demonstrations; set warmup.steps to 0`);
      }
      return demonstration;
    });
    const batch = describeBatch(demonstrationBatch(demonstrations));
    const metrics = await model.accumulate(batch, LOSS, { microBatchTokens, recompute });
    const settings = optimizerSettings(optimizer, step, steps);
    const { gradNorm } = await model.update(settings);
    yield { step: step + 1, loss: metrics.loss, tokens: metrics.tokens, gradNorm, lr: settings.lr };
  }
}
