// Rolls out one step: every task becomes a group of attempts that share its prompt. In an environment of several turns
// every attempt's episode is then completed, one plain answer per turn, so that its return is that of the whole history.
import type { Sampled } from '../batch/sampled.ts';
import type { Environment } from '../environments/environment.ts';
import { isOver } from '../environments/episode.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Attempt, Task } from '../types.ts';
import { answer, type Asked } from './answer.ts';
import { type Judged, requireVerdicts } from './judge.ts';
import type { Sampling } from './sample.ts';

/** An attempt: its group, and its index in the group. */
type Owner = readonly [group: number, index: number];

/** Rows of one native call, each with the attempt that it belongs to; a turn may take several. */
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
  /** Per task and attempt, whether an answer of its episode ended in no form that the environment knows. */
  readonly unfinished: readonly (readonly boolean[])[];
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
  await environment.prepare?.(instances);
  const prompts = tasks.map(({ mode, previous, history }, g) =>
    environment.prompt(instances[g], mode, previous, history),
  );
  const owners = tasks.flatMap((_, g) => Array.from({ length: samplesPerPrompt }, (__, i): Owner => [g, i]));
  const turns: SampledTurn[] = [];
  const answerRows = async (
    turn: number,
    requests: readonly Int32Array[],
    of: readonly Owner[],
    history: (owner: Owner) => readonly Attempt[],
    how: Sampling,
  ): Promise<readonly Judged[]> => {
    const asked = (row: number): Asked => ({ instance: instances[of[row]![0]], history: history(of[row]!) });
    const { parts, judged: verdicts } = await answer(model, environment, requests, asked, how);
    for (const { sampled, firstRow } of parts)
      turns.push({ turn, sampled, owners: of.slice(firstRow, firstRow + sampled.rows) });
    return verdicts;
  };

  const first = await answerRows(0, prompts, owners, ([g]) => tasks[g]!.history, sampling);
  const judged = tasks.map((_, g) => first.slice(g * samplesPerPrompt, (g + 1) * samplesPerPrompt));
  const later: (Attempt[] | null)[][] = judged.map((group) => group.map(() => []));
  const unfinished = judged.map((group) => group.map((answered) => answered.unfinished ?? false));
  const failures = judged.map((group) => group.flatMap(({ reason }) => reason ?? []));
  const historyOf = ([g, i]: Owner): Attempt[] => [...tasks[g]!.history, judged[g]![i]!.attempt!, ...later[g]![i]!];
  for (let turn = 1; ; turn++) {
    const standing = owners.filter(([g, i]) => judged[g]![i]!.attempt !== null && later[g]![i] !== null);
    const open = standing.filter((owner) => !isOver(environment, instances[owner[0]], historyOf(owner)));
    if (open.length === 0) {
      requireVerdicts(environment, standing.length, failures.flat());
      return { turns, judged, later, unfinished, failures };
    }
    const requests = open.map((owner) => environment.prompt(instances[owner[0]], 'base', null, historyOf(owner)));
    const answers = await answerRows(turn, requests, open, historyOf, {
      ...sampling,
      samplesPerPrompt: 1,
      embed: false, // what distinguishes the attempts of a group is their answer in the step itself
      firstSequence: firstSequence + turn * owners.length,
    });
    for (const [row, [g, i]] of open.entries()) {
      const { attempt, reason, unfinished: cutOff = false } = answers[row]!;
      if (cutOff) unfinished[g]![i] = true;
      if (reason !== undefined) failures[g]!.push(reason);
      if (attempt === null) later[g]![i] = null;
      else later[g]![i]!.push(attempt);
    }
  }
}
