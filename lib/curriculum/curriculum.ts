// Which task next, and what is remembered of a group: Selection and Expansion of the method.
import type { Random } from '../rng.ts';
import { known, variance } from '../statistics.ts';
import type { Group, Task } from '../types.ts';
import type { TaskBuffer } from './buffer.ts';
import { historyOf } from './entry.ts';
import type { Strategy } from './strategies.ts';

export interface CurriculumSettings {
  /** No replay before the buffer holds so many (B_min). */
  readonly minimum: number;
  /** Probability of a replay (p). */
  readonly probability: number;
  /** Probability that a self-iteration step is a divergence step (p_div). One mode for the group, which shares its prompt. */
  readonly diverge: number;
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
    const start = buffer.sample(random.uniform());
    const { instance, depth, previous, id, born } = start;
    const history = historyOf(start);
    const diverges = previous !== null && strategy.divergence && random.chance(settings.diverge);
    const mode = previous === null ? 'base' : diverges ? 'diverge' : 'improve';
    return { instance, depth, previous, history, mode, entry: id, born };
  }
  const instance = random.below(settings.instances ?? ANY_INSTANCE);
  return { instance, depth: 0, previous: null, history: [], mode: 'base', entry: null, born: null };
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
  if (!rescored) {
    const { depth, previous, history } = task;
    buffer.insert({ ...measured, depth, previous, episode: history, turn: history.length });
  }
  for (const i of chooseChildren(settings.children, group, random)) {
    // Every prefix of the episode is a start point: it ends in the answer of this turn, or of one of the later ones.
    const first = task.history.length;
    const episode = [...task.history, group.attempts[i]!, ...group.later[i]!];
    for (let turn = first; turn < episode.length; turn++) {
      // Selection alone: where the next turn begins, if there is one.
      if (!strategy.selfIteration) {
        if (turn > first) buffer.insert({ ...measured, depth: 0, previous: null, episode, turn });
        continue;
      }
      const depth = turn === first ? task.depth + 1 : 1;
      if (depth > (settings.maxDepth ?? Number.POSITIVE_INFINITY)) continue;
      buffer.insert({ ...measured, depth, previous: episode[turn]!, episode, turn });
    }
  }
}

/** Indices of the attempts that become start points. */
function chooseChildren(which: CurriculumSettings['children'], group: Group, random: Random): number[] {
  const judged = [...group.attempts.keys()].filter((i) => group.attempts[i] !== null);
  if (which === 'all') return judged;
  if (which === 'random') return [random.pick(judged)];
  const quality = (i: number): number => group.attempts[i]!.quality;
  return [judged.reduce((best, i) => (quality(i) > quality(best) ? i : best))];
}
