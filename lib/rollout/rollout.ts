// Rolls out one step: every task becomes a group of attempts that share its prompt. In an environment of several turns
// every attempt's episode is then completed, one plain answer per turn, so that its return is that of the whole history.
import type { Sampled } from '../batch/sampled.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Attempt, Task } from '../types.ts';
import { type Judged, judge } from './judge.ts';
import { type Sampling, sampleAttempts } from './sample.ts';

/** Rows of one native call, each with the attempt (group, index in the group) that it belongs to. */
export interface SampledTurn {
  readonly sampled: Sampled;
  readonly owners: readonly (readonly [group: number, index: number])[];
}

export interface Rollout {
  /** The step itself, then the turns that complete the episodes. */
  readonly turns: readonly SampledTurn[];
  /** Per task and attempt. */
  readonly judged: readonly (readonly Judged[])[];
  /** Answers of the later turns; null where one of them could not be judged. */
  readonly later: readonly (readonly (readonly Attempt[] | null)[])[];
}

/** `random numbers` are keyed by sampling.firstSequence + turn * rows + row. */
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
  const owners = tasks.flatMap((_, g) => Array.from({ length: samplesPerPrompt }, (__, i) => [g, i] as const));
  const turns: SampledTurn[] = [{ sampled, owners }];
  const judgeRows = (turn: SampledTurn, historyOf: (g: number, i: number) => readonly Attempt[]): Promise<Judged[]> =>
    Promise.all(
      turn.owners.map(([g, i], row) => judge(environment, instances[g], turn.sampled.completion(row), historyOf(g, i))),
    );

  const first = await judgeRows(turns[0]!, (g) => tasks[g]!.history);
  const judged = tasks.map((_, g) => first.slice(g * samplesPerPrompt, (g + 1) * samplesPerPrompt));
  const later: (Attempt[] | null)[][] = judged.map((group) => group.map(() => []));
  const historyOf = (g: number, i: number): Attempt[] => [
    ...tasks[g]!.history,
    judged[g]![i]!.attempt!,
    ...later[g]![i]!,
  ];
  for (;;) {
    const open = owners.filter(
      ([g, i]) =>
        judged[g]![i]!.attempt !== null && later[g]![i] !== null && historyOf(g, i).length < environment.turns,
    );
    if (open.length === 0) return { turns, judged, later };
    const requests = open.map(([g, i]) => environment.prompt(instances[g], 'base', null, historyOf(g, i)));
    const next = await sampleAttempts(model, environment, requests, {
      ...sampling,
      samplesPerPrompt: 1,
      firstSequence: firstSequence + turns.length * owners.length,
    });
    turns.push({ sampled: next, owners: open });
    const answers = await judgeRows(turns.at(-1)!, historyOf);
    for (const [row, [g, i]] of open.entries()) {
      const { attempt } = answers[row]!;
      if (attempt === null) later[g]![i] = null;
      else later[g]![i]!.push(attempt);
    }
  }
}
