// Draws tasks, rolls them out and judges them until the batch is full. Without a filter that is one round; with dynamic
// sampling (DAPO, arXiv 2503.14476) groups whose returns are all the same are replaced by new ones.
import type { Config } from '../config/schema.ts';
import type { Environment } from '../environments/environment.ts';
import type { Addon, NativeModel } from '../native/addon.ts';
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
  /** What was sampled of them; owners point into `groups`. */
  readonly turns: readonly SampledTurn[];
}

type Settings = Pick<Config, 'seed' | 'rollout' | 'reward'>;

export interface CollectOptions {
  /** Whether the mean hidden states of the attempts are wanted. */
  readonly embed: boolean;
}

/** The caller releases the turns. What was sampled of dropped groups is released here, before the next round is sampled. */
export async function collect(
  addon: Pick<Addon, 'release'>,
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
    for (const turn of rollout.turns) turns.push(...keepOwned(turn, indexOf, addon));
  }
  return { groups, dropped, turns };
}

/** The rows of groups that stay, under their new numbers; none, one turn, or, where some have gone, one with a copy of the rest. */
function keepOwned(
  { turn, sampled, owners }: SampledTurn,
  indexOf: readonly (number | null)[],
  addon: Pick<Addon, 'release'>,
): SampledTurn[] {
  const rows = [...owners.keys()].filter((row) => indexOf[owners[row]![0]] !== null);
  const kept = rows.map((row): SampledTurn['owners'][number] => [indexOf[owners[row]![0]]!, owners[row]![1]]);
  if (rows.length === owners.length) return [{ turn, sampled, owners: kept }];
  const copy = rows.length === 0 ? [] : [{ turn, sampled: sampled.pick(rows), owners: kept }];
  sampled.release(addon);
  return copy;
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
  const truncated = [...rollout.unfinished[g]!];
  const { stopTokens, stopSequences } = environment.attempt;
  const endsByItself = stopTokens.length + stopSequences.length > 0;
  for (const { sampled, owners } of rollout.turns) {
    for (const [row, owner] of owners.entries()) {
      if (owner[0] !== g) continue;
      lengths[owner[1]]! += sampled.completion(row).length;
      if (endsByItself && sampled.finishReason[row] === LENGTH) truncated[owner[1]] = true;
    }
  }
  const later = rollout.later[g]!;
  return {
    task,
    attempts,
    later: later.map((answers) => answers ?? []),
    failures: rollout.failures[g]!,
    invalid: rollout.judged[g]!.filter(({ status }) => status === 'invalid').length,
    rewards: attempts.map((attempt, i) => {
      const rest = later[i]!;
      const known = attempt !== null && rest !== null;
      return reward(kind, known ? { ...task, attempt, later: rest, rule: environment.episodeQuality } : null);
    }),
    lengths,
    truncated,
  };
}
