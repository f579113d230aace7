// Episodes as at inference: in every turn k steps of self-iteration, then the last answer stands and the next turn begins.
import type { Environment, EpisodeQuality } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import { episodeQuality, isOver } from '../environments/episode.ts';
import { type Release, selfIterate, type ShouldRevise, type StepSampling } from '../rollout/self-iterate.ts';
import type { Attempt } from '../types.ts';

/** What one episode came to with k steps in every turn. */
export interface EpisodeOutcome {
  /** Of the answers that stand; null where one could not be judged. */
  readonly quality: number | null;
  /** The same with the best answer of every turn so far; null as above. */
  readonly best: number | null;
  /** Quality of the answer that stands in the first turn. */
  readonly firstTurn: number | null;
  /** Turns that were played. */
  readonly turns: number;
  /** Revisions made, per turn: k unless answers are revised selectively. */
  readonly revisions: number;
}

export interface EpisodeSettings {
  readonly sampling: StepSampling;
  readonly shouldRevise: ShouldRevise;
}

interface Running {
  readonly standing: Attempt[];
  /** Quality of the best answer, per turn. */
  readonly best: readonly number[];
  revisions: number;
  /** False once an answer that should stand could not be judged. */
  judged: boolean;
}

/**
 * Yields the outcomes for every k of the rising list, rows in the order of `instances`. In one turn a single pass serves all
 * k. In several the history depends on k, so each k has a pass of its own; all use the same random numbers at the same turn
 * and step, which makes differences between them less noisy.
 */
export async function* playEpisodes(
  model: NativeModel,
  release: Release,
  environment: Environment,
  instances: readonly unknown[],
  ks: readonly number[],
  { sampling, shouldRevise }: EpisodeSettings,
): AsyncGenerator<{ readonly k: number; readonly outcomes: readonly EpisodeOutcome[] }> {
  const { turns, episodeQuality: rule } = environment;
  const most = Math.max(...ks);
  const isOpen = ({ standing }: Running, row: number): boolean => !isOver(environment, instances[row], standing);
  const start = (): Running[] => instances.map(() => ({ standing: [], best: [], revisions: 0, judged: true }));
  const playTurn = (episodes: Running[], turn: number, steps: number): AsyncGenerator<TurnState> =>
    turnStates(episodes, steps, isOpen, (open) =>
      selfIterate(
        model,
        release,
        environment,
        open.map((row) => instances[row]),
        steps,
        { ...sampling, firstSequence: turn * (most + 1) * instances.length },
        { shouldRevise, histories: open.map((row) => [...episodes[row]!.standing]) },
      ),
    );

  if (turns === 1) {
    for await (const { k, episodes } of playTurn(start(), 0, most)) {
      if (ks.includes(k)) yield { k, outcomes: episodes.map((episode) => outcome(episode, rule)) };
    }
    return;
  }
  for (const k of ks) {
    let episodes = start();
    for (let turn = 0; turn < turns && episodes.some(isOpen); turn++) {
      for await (const state of playTurn(episodes, turn, k)) if (state.k === k) episodes = [...state.episodes];
    }
    yield { k, outcomes: episodes.map((episode) => outcome(episode, rule)) };
  }
}

interface TurnState {
  readonly k: number;
  /** The episodes if the turn ended after step k. */
  readonly episodes: readonly Running[];
}

/** Plays one turn of the episodes that are judged and not over, and tells after every step how they would stand. */
async function* turnStates(
  before: readonly Running[],
  steps: number,
  isOpen: (episode: Running, row: number) => boolean,
  iterate: (open: readonly number[]) => AsyncGenerator<readonly (Attempt | null)[]>,
): AsyncGenerator<TurnState> {
  const open = [...before.keys()].filter((row) => before[row]!.judged && isOpen(before[row]!, row));
  const rows = new Map(open.map((row, i) => [row, i]));
  const best = open.map(() => 0);
  const revisions = open.map(() => 0);
  let last: readonly (Attempt | null)[] = [];
  let k = 0;
  if (open.length === 0) {
    yield { k: steps, episodes: before };
    return;
  }
  for await (const round of iterate(open)) {
    for (const [i, attempt] of round.entries()) {
      best[i] = Math.max(best[i]!, attempt?.quality ?? 0);
      if (k > 0 && (attempt === null || attempt !== last[i])) revisions[i]!++;
    }
    const episodes = before.map((episode, row): Running => {
      const i = rows.get(row);
      if (i === undefined) return episode;
      const attempt = round[i]!;
      const standing = attempt === null ? episode.standing : [...episode.standing, attempt];
      return {
        standing,
        best: [...episode.best, best[i]!],
        revisions: episode.revisions + revisions[i]!,
        judged: attempt !== null,
      };
    });
    yield { k, episodes };
    last = round;
    k++;
  }
}

function outcome({ standing, best, revisions, judged }: Running, rule: EpisodeQuality | undefined): EpisodeOutcome {
  const bests = best.map((quality) => ({ quality }));
  return {
    quality: judged ? episodeQuality(standing, rule) : null,
    best: judged ? episodeQuality(bests, rule) : null,
    firstTurn: standing[0]?.quality ?? null,
    turns: standing.length,
    revisions: revisions / Math.max(1, best.length),
  };
}
