// The whole algorithm (Exploratory Iteration, arXiv 2509.04575) on one page:
//   task -> curriculum -> rollout -> reward -> batch -> update.
import { ALGORITHMS } from './algorithms/registry.ts';
import { lossSettings, updatePolicy } from './algorithms/update.ts';
import { rolloutBatch } from './batch/rollout.ts';
import type { Config } from './config/schema.ts';
import type { TaskBuffer } from './curriculum/buffer.ts';
import { drawTask, remember } from './curriculum/curriculum.ts';
import type { Strategy } from './curriculum/strategies.ts';
import type { Environment } from './environments/environment.ts';
import type { Addon, NativeModel } from './native/addon.ts';
import { reward } from './rewards/reward.ts';
import { deriveSeed, Random } from './rng.ts';
import { judgeAll, rollOut } from './rollout/rollout.ts';
import type { Sampling } from './rollout/sample.ts';
import { stepStats } from './step-stats.ts';
import { stopwatch } from './stopwatch.ts';
import type { Group, Step, Task } from './types.ts';

/** All that learns or decides. Its state between steps is the model's and the buffer's, nothing else. */
export interface Learner {
  readonly config: Config;
  readonly strategy: Strategy;
  readonly environment: Environment;
  readonly addon: Pick<Addon, 'release'>;
  readonly model: NativeModel;
  readonly buffer: TaskBuffer;
}

/**
 * Trains from step `first` on and yields after every update. Any step depends only on the configuration, the step's
 * number, the model and the buffer: a run that was saved between two steps goes on as if it had never stopped.
 */
export async function* train(learner: Learner, first = 0): AsyncGenerator<Step> {
  const { config, strategy, environment, addon, model, buffer } = learner;
  const algorithm = ALGORITHMS[config.algorithm.name];
  const loss = lossSettings(config, environment.attempt.maxTokens);
  const selfIterationReward = config.reward.selfIteration ?? environment.selfIterationReward;

  for (let step = first; step < config.train.steps; step++) {
    const clock = stopwatch();
    const random = new Random(config.seed, 'curriculum', step);

    // Task and curriculum: each prompt of the batch draws on its own where it starts.
    if (config.curriculum.maxAge !== null) buffer.expire(step - config.curriculum.maxAge);
    const tasks: Task[] = [];
    for (let g = 0; g < config.rollout.groups; g++) tasks.push(drawTask(strategy, buffer, config.curriculum, random));

    // Rollout: a group of attempts for one self-iteration step from each start point.
    const rollout = await rollOut(model, environment, tasks, trainSampling(config, step));
    clock.lap('rollout');

    // Reward: what the environment thinks of each attempt, and what the step is worth.
    const verdicts = await judgeAll(environment, tasks, rollout);
    const groups = tasks.map((task, g): Group => {
      const attempts = verdicts[g]!.map(({ attempt }) => attempt);
      return {
        task,
        attempts,
        invalid: verdicts[g]!.filter(({ status }) => status === 'invalid').length,
        rewards: attempts.map((attempt) => reward(selfIterationReward, attempt, task.previous)),
        lengths: rollout.answers[g]!.map((answer) => answer.length),
      };
    });
    clock.lap('reward');

    // Batch and update: advantages beside the sampler's own columns, then one policy-gradient step.
    const batch = rolloutBatch(rollout.sampled, environment.name, groups, algorithm.advantages(groups));
    const update = await updatePolicy(model, batch, config, loss, step);
    clock.lap('update');

    // Curriculum: the start point with its measured score, the attempts with the inherited one.
    for (const group of groups) remember(strategy, buffer, config.curriculum, group, step, random);

    try {
      yield { step, batch, groups, stats: stepStats(step, groups, update, buffer), seconds: clock.seconds() };
    } finally {
      addon.release(rollout.sampled.block);
    }
  }
}

function trainSampling(config: Config, step: number): Sampling {
  const { groups, groupSize, ...sampling } = config.rollout;
  const seed = deriveSeed(config.seed, 'rollout');
  return { ...sampling, samplesPerPrompt: groupSize, seed, firstSequence: step * groups * groupSize };
}
