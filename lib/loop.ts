// The whole algorithm (Exploratory Iteration, arXiv 2509.04575) on one page:
//   task -> curriculum -> rollout -> reward -> batch -> update.
import { groupAdvantages } from './algorithms/group-advantages.ts';
import { lossSettings, updatePolicy } from './algorithms/update.ts';
import { rolloutBatch } from './batch/rollout.ts';
import type { Config } from './config/schema.ts';
import type { TaskBuffer } from './curriculum/buffer.ts';
import type { Coverage } from './curriculum/coverage.ts';
import { drawTask, remember } from './curriculum/curriculum.ts';
import type { Strategy } from './curriculum/strategies.ts';
import { needsHidden } from './diversity/embedders.ts';
import type { Environment } from './environments/environment.ts';
import type { Addon, NativeModel } from './native/addon.ts';
import { Random } from './rng.ts';
import { collect } from './rollout/collect.ts';
import { stepStats } from './step-stats.ts';
import { stopwatch } from './stopwatch.ts';
import type { Step, Task } from './types.ts';

/** All that learns or decides. Its state between steps is that of the model, the buffer and the coverage, nothing else. */
export interface Learner {
  readonly config: Config;
  readonly strategy: Strategy;
  readonly environment: Environment;
  readonly addon: Pick<Addon, 'release'>;
  readonly model: NativeModel;
  readonly buffer: TaskBuffer;
  readonly coverage: Coverage;
}

/**
 * Trains from step `first` on and yields after every update. Any step depends only on the configuration, the step's
 * number, the model, the buffer and the coverage: a run that was saved between two steps goes on as if it had never stopped.
 */
export async function* train(learner: Learner, first = 0): AsyncGenerator<Step> {
  const { config, strategy, environment, addon, model, buffer, coverage } = learner;
  const settings = curriculumOf(config, environment);
  const loss = lossSettings(config, environment.attempt.maxTokens);

  for (let step = first; step < config.train.steps; step++) {
    const clock = stopwatch();
    const random = new Random(config.seed, 'curriculum', step);

    // Task, curriculum, rollout, reward: each prompt of the batch draws on its own where it starts and becomes a group of
    // attempts for one self-iteration step.
    if (config.curriculum.maxAge !== null) buffer.expire(step - config.curriculum.maxAge);
    clock.lap('curriculum');
    const draw = (): Task => clock.within('curriculum', () => drawTask(strategy, buffer, settings, random));
    const embed = needsHidden(strategy, config.diversity);
    const { groups, dropped, turns } = await collect(addon, model, environment, config, step, draw, { embed });
    clock.lap('rollout');

    // Batch and update: advantages beside the sampler's own columns, then one policy-gradient step.
    const { advantages, distance } = await groupAdvantages(config, strategy, groups, turns);
    const batch = rolloutBatch(turns, environment.name, groups, advantages);
    const update = await updatePolicy(model, batch, config, loss, step);
    clock.lap('update');

    // Curriculum: the start point with its measured score, the attempts with the inherited one.
    const all = [...groups, ...dropped];
    for (const group of all) remember(strategy, buffer, settings, group, step, random);
    for (const { task } of groups) coverage.add(task);
    const more = { dropped: dropped.length, embeddingDistance: distance };
    const stats = { ...stepStats(step, all, update, buffer, coverage), ...more };
    clock.lap('curriculum');

    try {
      const failures = all.flatMap((group) => group.failures);
      yield { step, batch, groups, failures, stats, seconds: clock.seconds() };
    } finally {
      for (const { sampled } of turns) sampled.release(addon);
    }
  }
}

/** A draw of an instance is uniform over those that exist. */
function curriculumOf({ curriculum }: Config, { sizes }: Environment): Config['curriculum'] {
  const { instances } = curriculum;
  if (sizes === undefined) return curriculum;
  return { ...curriculum, instances: Math.min(instances ?? sizes.train, sizes.train) };
}
