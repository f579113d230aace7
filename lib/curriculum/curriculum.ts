// Which task next, and what is remembered of a group: Selection and Expansion of the method.
import type { Random } from '../rng.ts';
import { known, variance } from '../statistics.ts';
import type { Attempt, Group, Task } from '../types.ts';
import type { TaskBuffer } from './buffer.ts';
import type { Strategy } from './strategies.ts';

export interface CurriculumSettings {
  /** No replay before the buffer holds so many (B_min). */
  readonly minimum: number;
  /** Probability of a replay (p). */
  readonly probability: number;
  /** Which attempts of a group become start points. */
  readonly children: 'all' | 'best' | 'random';
  /** A replayed start point takes the score just measured; otherwise it keeps its own and a copy enters. */
  readonly rescore: boolean;
  /** Start points at most this deep; null: any. */
  readonly maxDepth: number | null;
  /** Start points leave the buffer after so many steps; null: never. */
  readonly maxAge: number | null;
  /** Training instances; null: as many as there are numbers. */
  readonly instances: number | null;
}

const ANY_INSTANCE = 2 ** 31 - 1;

/** Draws where one prompt of the batch starts: from the buffer with probability p, else a base task. */
export function drawTask(strategy: Strategy, buffer: TaskBuffer, settings: CurriculumSettings, random: Random): Task {
  const enough = buffer.size > 0 && buffer.size >= settings.minimum;
  if (strategy.buffered && enough && random.chance(settings.probability)) {
    const { instance, depth, previous, id } = buffer.sample(random.uniform());
    return { instance, depth, previous, mode: previous === null ? 'base' : 'improve', entry: id };
  }
  const instance = random.below(settings.instances ?? ANY_INSTANCE);
  return { instance, depth: 0, previous: null, mode: 'base', entry: null };
}

/** Puts the start point of a group into the buffer with the score just measured, and its attempts with that score. */
export function remember(
  strategy: Strategy,
  buffer: TaskBuffer,
  settings: CurriculumSettings,
  group: Group,
  step: number,
  random: Random,
): void {
  const returns = known(group.rewards);
  if (!strategy.buffered || returns.length < 2) return; // one return has no variance to measure
  const { task } = group;
  const measured = { instance: task.instance, score: variance(returns), born: step, scored: step };
  const rescored = settings.rescore && task.entry !== null && buffer.rescore(task.entry, measured.score, step);
  if (!rescored) buffer.insert({ ...measured, depth: task.depth, previous: task.previous });
  const depth = task.depth + 1;
  if (!strategy.selfIteration || depth > (settings.maxDepth ?? Number.POSITIVE_INFINITY)) return;
  for (const previous of chooseChildren(settings.children, group, random))
    buffer.insert({ ...measured, depth, previous });
}

function chooseChildren(which: CurriculumSettings['children'], group: Group, random: Random): Attempt[] {
  const judged = group.attempts.filter((attempt) => attempt !== null);
  if (which === 'all') return judged;
  if (which === 'random') return [random.pick(judged)];
  return [judged.reduce((best, attempt) => (attempt.quality > best.quality ? attempt : best))];
}
