// Supervised warm-up: imitates an environment's demonstrations.
import type { Config } from './config/schema.ts';
import type { Environment } from './environments/environment.ts';
import { UsageError } from './errors.ts';
import type { NativeModel } from './native/addon.ts';
import { Random } from './rng.ts';
import { promptAndAnswer } from './sft/example.ts';
import { supervise } from './sft/supervise.ts';
import type { StepStats } from './types.ts';

/** Yields after every supervised step; resumes at `first` like the loop does. */
export function warmUp(
  config: Config,
  environment: Environment,
  model: NativeModel,
  first = 0,
): AsyncGenerator<StepStats> {
  const { steps, batch, optimizer } = config.warmup;
  const examples = (step: number) => {
    const random = new Random(config.seed, 'warmup', step);
    return Array.from({ length: batch }, () => {
      const demonstration = environment.demonstration(random);
      if (demonstration === null) {
        throw new UsageError(`environment ${environment.name} has no demonstrations; set warmup.steps to 0`);
      }
      return promptAndAnswer(demonstration.prompt, demonstration.answer);
    });
  };
  const { microBatchTokens, recompute } = config.train;
  return supervise(model, { steps, optimizer, train: { microBatchTokens, recompute }, examples }, first);
}
