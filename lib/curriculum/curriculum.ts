// Which task next, and what is remembered of a group: Selection and Expansion of the method.
import type { Random } from '../rng.ts';
import { known, variance } from '../statistics.ts';
import type { Attempt, Group, Task } from '../types.ts';
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
  const { instance, depth, previous, history, entry } = group.task;
  const score = variance(returns);
  const insert = (at: number, shown: Attempt | null, episode: readonly Attempt[], turn: number): void => {
    buffer.insert({ instance, depth: at, previous: shown, episode, turn, score, born: step, scored: step });
  };
  const rescored = settings.rescore && entry !== null && buffer.rescore(entry, score, step);
  if (!rescored) insert(depth, previous, history, history.length);
  for (const i of chooseChildren(settings.children, group, random)) {
    // Every prefix of the episode is a start point: it ends in the answer of this turn, or of one of the later ones.
    const first = history.length;
    const episode = [...history, group.attempts[i]!, ...group.later[i]!];
    for (let turn = first; turn < episode.length; turn++) {
      // Selection alone: where the next turn begins, if there is one.
      if (!strategy.selfIteration) {
        if (turn > first) insert(0, null, episode, turn);
        continue;
      }
      const at = turn === first ? depth + 1 : 1;
      if (at <= (settings.maxDepth ?? Number.POSITIVE_INFINITY)) insert(at, episode[turn]!, episode, turn);
    }
  }
}

/** Indices of the attempts that become start points. */
function chooseChildren(which: CurriculumSettings['children'], { attempts }: Group, random: Random): number[] {
  const judged: number[] = [];
  for (let i = 0; i < attempts.length; i++) if (attempts[i] !== null) judged.push(i);
  if (which === 'all') return judged;
  if (which === 'random') return [random.pick(judged)];
  const quality = (i: number): number => attempts[i]!.quality;
  return [judged.reduce((best, i) => (quality(i) > quality(best) ? i : best))];
}
