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
import { reward, type SelfIterationReward } from './rewards/reward.ts';
import { deriveSeed, Random } from './rng.ts';
import { type Rollout, rollOut } from './rollout/rollout.ts';
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

    // Rollout: a group of attempts for one self-iteration step from each start point; episodes are completed.
    const rollout = await rollOut(model, environment, tasks, trainSampling(config, environment, step));
    clock.lap('rollout');

    // Reward: what each attempt, with the episode it became, is worth.
    const groups = tasks.map((task, g) => judgedGroup(task, rollout, g, environment.turns, selfIterationReward));
    clock.lap('reward');

    // Batch and update: advantages beside the sampler's own columns, then one policy-gradient step.
    const batch = rolloutBatch(rollout.turns, environment.name, groups, algorithm.advantages(groups));
    const update = await updatePolicy(model, batch, config, loss, step);
    clock.lap('update');

    // Curriculum: the start point with its measured score, the attempts with the inherited one.
    for (const group of groups) remember(strategy, buffer, config.curriculum, group, step, random);

    try {
      yield { step, batch, groups, stats: stepStats(step, groups, update, buffer), seconds: clock.seconds() };
    } finally {
      for (const { sampled } of rollout.turns) addon.release(sampled.block);
    }
  }
}

function judgedGroup(
  task: Task,
  { turns, judged, later }: Rollout,
  g: number,
  most: number,
  kind: SelfIterationReward,
): Group {
  const attempts = judged[g]!.map(({ attempt }) => attempt);
  const lengths = attempts.map(() => 0);
  for (const { sampled, owners } of turns)
    for (const [row, [group, i]] of owners.entries()) if (group === g) lengths[i]! += sampled.completion(row).length;
  return {
    task,
    attempts,
    later: later[g]!.map((answers) => answers ?? []),
    invalid: judged[g]!.filter(({ status }) => status === 'invalid').length,
    rewards: attempts.map((attempt, i) => {
      const rest = later[g]![i]!;
      return reward(kind, attempt === null || rest === null ? null : { ...task, attempt, later: rest, turns: most });
    }),
    lengths,
  };
}

function trainSampling(config: Config, environment: Environment, step: number): Sampling {
  const { groups, groupSize, ...sampling } = config.rollout;
  const seed = deriveSeed(config.seed, 'rollout');
  return {
    ...sampling,
    samplesPerPrompt: groupSize,
    seed,
    firstSequence: step * environment.turns * groups * groupSize,
  };
}
