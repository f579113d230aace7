// Rolls out one step: every task becomes a group of attempts that share its prompt. In an environment of several turns
// every attempt's episode is then completed, one plain answer per turn, so that its return is that of the whole history.
import type { Sampled } from '../batch/sampled.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Attempt, Task } from '../types.ts';
import { type Judged, judge, requireVerdicts } from './judge.ts';
import { type Sampling, sampleAttempts } from './sample.ts';

/** An attempt: its group, and its index in the group. */
type Owner = readonly [group: number, index: number];

/** Rows of one native call, each with the attempt that it belongs to. */
export interface SampledTurn {
  /** 0: the step itself; later ones complete episodes. */
  readonly turn: number;
  readonly sampled: Sampled;
  readonly owners: readonly Owner[];
}

export interface Rollout {
  /** The step itself, then the turns that complete the episodes. */
  readonly turns: readonly SampledTurn[];
  /** Per task and attempt. */
  readonly judged: readonly (readonly Judged[])[];
  /** Answers of the later turns; null where one of them could not be judged. */
  readonly later: readonly (readonly (readonly Attempt[] | null)[])[];
  /** Per task, why verdicts are missing: one reason for each. */
  readonly failures: readonly (readonly string[])[];
}

/** Random numbers are keyed by sampling.firstSequence + turn * rows + row. */
export async function rollOut(
  model: NativeModel,
  environment: Environment,
  tasks: readonly Task[],
  sampling: Sampling,
): Promise<Rollout> {
  const { samplesPerPrompt, firstSequence } = sampling;
  const instances = tasks.map(({ instance }) => environment.task(instance, 'train'));
  const prompts = tasks.map(({ mode, previous, history }, g) =>
    environment.prompt(instances[g], mode, previous, history),
  );
  const sampled = await sampleAttempts(model, environment, prompts, sampling);
  const owners = tasks.flatMap((_, g) => Array.from({ length: samplesPerPrompt }, (__, i): Owner => [g, i]));
  const turns: SampledTurn[] = [{ turn: 0, sampled, owners }];
  const judgeRows = (rows: Sampled, of: readonly Owner[], history: (owner: Owner) => readonly Attempt[]) =>
    Promise.all(of.map((owner, row) => judge(environment, instances[owner[0]], rows.completion(row), history(owner))));

  const first = await judgeRows(sampled, owners, ([g]) => tasks[g]!.history);
  const judged = tasks.map((_, g) => first.slice(g * samplesPerPrompt, (g + 1) * samplesPerPrompt));
  const later: (Attempt[] | null)[][] = judged.map((group) => group.map(() => []));
  const failures = judged.map((group) => group.flatMap(({ reason }) => reason ?? []));
  const historyOf = ([g, i]: Owner): Attempt[] => [...tasks[g]!.history, judged[g]![i]!.attempt!, ...later[g]![i]!];
  for (;;) {
    const standing = owners.filter(([g, i]) => judged[g]![i]!.attempt !== null && later[g]![i] !== null);
    const open = standing.filter((owner) => historyOf(owner).length < environment.turns);
    if (open.length === 0) {
      requireVerdicts(environment, standing.length, failures.flat());
      return { turns, judged, later, failures };
    }
    const requests = open.map((owner) => environment.prompt(instances[owner[0]], 'base', null, historyOf(owner)));
    const next = await sampleAttempts(model, environment, requests, {
      ...sampling,
      samplesPerPrompt: 1,
      embed: false, // what distinguishes the attempts of a group is their answer in the step itself
      firstSequence: firstSequence + turns.length * owners.length,
    });
    turns.push({ turn: turns.length, sampled: next, owners: open });
    const answers = await judgeRows(next, open, historyOf);
    for (const [row, [g, i]] of open.entries()) {
      const { attempt, reason } = answers[row]!;
      if (reason !== undefined) failures[g]!.push(reason);
      if (attempt === null) later[g]![i] = null;
      else later[g]![i]!.push(attempt);
    }
  }
}
