// Draws tasks, rolls them out and judges them until the batch is full. Without a filter that is one round; with dynamic
// sampling (DAPO, arXiv 2503.14476) groups whose returns are all the same are replaced by new ones.
import type { Config } from '../config/schema.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import { reward, type SelfIterationReward } from '../rewards/reward.ts';
import { deriveSeed } from '../rng.ts';
import { known, variance } from '../statistics.ts';
import type { Group, Task } from '../types.ts';
import { type Rollout, rollOut, type SampledTurn } from './rollout.ts';
import type { Sampling } from './sample.ts';

export interface Collected {
  /** The groups of the batch. */
  readonly groups: readonly Group[];
  /** Those that were filtered out. */
  readonly dropped: readonly Group[];
  /** All that was sampled; rows of dropped groups have no owner, the others point into `groups`. */
  readonly turns: readonly SampledTurn[];
}

type Settings = Pick<Config, 'seed' | 'rollout' | 'reward'>;

export interface CollectOptions {
  /** Whether the mean hidden states of the attempts are wanted. */
  readonly embed: boolean;
}

export async function collect(
  model: NativeModel,
  environment: Environment,
  settings: Settings,
  step: number,
  draw: () => Task,
  { embed }: CollectOptions = { embed: false },
): Promise<Collected> {
  const { groups: wanted, filter, extraRounds } = settings.rollout;
  const improve = settings.reward.selfIteration ?? environment.selfIterationReward;
  const diverge = settings.reward.divergence ?? improve;
  const groups: Group[] = [];
  const dropped: Group[] = [];
  const turns: SampledTurn[] = [];
  const rounds = filter === 'off' ? 1 : 1 + extraRounds;
  for (let round = 0; round < rounds && groups.length < wanted; round++) {
    const tasks = Array.from({ length: wanted - groups.length }, draw);
    const sampled = { ...sampling(settings, environment, step * rounds + round), embed };
    const rollout = await rollOut(model, environment, tasks, sampled);
    const judged = tasks.map((task, g) =>
      judgedGroup(task, rollout, g, environment, task.mode === 'diverge' ? diverge : improve),
    );
    const informative = judged.map(({ rewards }) => filter === 'off' || variance(known(rewards)) > 0);
    // Nothing to learn anywhere: an update on the last round changes next to nothing, but the run goes on.
    if (groups.length === 0 && round === rounds - 1 && !informative.includes(true)) informative.fill(true);
    const indexOf = judged.map((group, g) => (informative[g] ? groups.push(group) - 1 : null));
    for (const [g, group] of judged.entries()) if (!informative[g]) dropped.push(group);
    for (const turn of rollout.turns) turns.push({ ...turn, owners: turn.owners.map((o) => renumber(o, indexOf)) });
  }
  return { groups, dropped, turns };
}

function renumber(owner: SampledTurn['owners'][number], indexOf: readonly (number | null)[]): typeof owner {
  const index = owner === null ? null : indexOf[owner[0]]!;
  return index === null ? null : [index, owner![1]];
}

/** Every round of every step has its own sequence numbers, so no random number is used twice. */
function sampling(settings: Settings, environment: Environment, round: number): Omit<Sampling, 'embed'> {
  const { groups, groupSize, filter: _, extraRounds: __, ...rest } = settings.rollout;
  const seed = deriveSeed(settings.seed, 'rollout');
  const firstSequence = round * environment.turns * groups * groupSize;
  return { ...rest, samplesPerPrompt: groupSize, seed, firstSequence, keepPrefixes: environment.turns > 1 };
}

const LENGTH = 2; // finish_reason of batch/schema.ts

function judgedGroup(
  task: Task,
  rollout: Rollout,
  g: number,
  environment: Environment,
  kind: SelfIterationReward,
): Group {
  const attempts = rollout.judged[g]!.map(({ attempt }) => attempt);
  const lengths = attempts.map(() => 0);
  const truncated = attempts.map(() => false);
  const { stopTokens, stopSequences } = environment.attempt;
  const endsByItself = stopTokens.length + stopSequences.length > 0;
  for (const { sampled, owners } of rollout.turns) {
    for (const [row, owner] of owners.entries()) {
      if (owner === null || owner[0] !== g) continue;
      lengths[owner[1]]! += sampled.completion(row).length;
      if (endsByItself && sampled.finishReason[row] === LENGTH) truncated[owner[1]] = true;
    }
  }
  const later = rollout.later[g]!;
  return {
    task,
    attempts,
    later: later.map((answers) => answers ?? []),
    invalid: rollout.judged[g]!.filter(({ status }) => status === 'invalid').length,
    rewards: attempts.map((attempt, i) => {
      const rest = later[i]!;
      const known = attempt !== null && rest !== null;
      return reward(kind, known ? { ...task, attempt, later: rest, turns: environment.turns } : null);
    }),
    lengths,
    truncated,
  };
}
