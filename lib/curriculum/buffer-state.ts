// A task buffer to be kept. What is shared is there once: an attempt however many entries start from it, an episode however
// many of its turns are start points.
import type { Attempt } from '../types.ts';
import type { Entry } from './entry.ts';
import type { EntryColumns } from './entry-columns.ts';

/** What a buffer is besides its settings. */
export interface BufferState {
  readonly nextId: number;
  /** Step of the newest measurement. */
  readonly measured: number;
  readonly attempts: readonly Attempt[];
  /** Episode e: attempts number answers[offsets[e]] .. answers[offsets[e + 1] - 1]. */
  readonly episodes: { readonly offsets: Int32Array; readonly answers: Int32Array };
  /** In slot order. */
  readonly entries: SavedEntries;
}

/** One array per field of Entry. */
export interface SavedEntries {
  readonly id: Float64Array;
  readonly instance: Int32Array;
  readonly depth: Int32Array;
  /** Number of an attempt; -1: a base task. */
  readonly previous: Int32Array;
  /** Number of an episode. */
  readonly episode: Int32Array;
  readonly turn: Int32Array;
  readonly score: Float64Array;
  readonly born: Int32Array;
  readonly scored: Int32Array;
}

export const NO_ATTEMPT = -1;

/** Numbers things in the order they are asked for. */
class Numbering<T> {
  readonly #numbers = new Map<T, number>();
  readonly things: T[] = [];

  of(thing: T): number {
    const known = this.#numbers.get(thing);
    if (known !== undefined) return known;
    this.#numbers.set(thing, this.things.length);
    return this.things.push(thing) - 1;
  }
}

export function saveEntries(columns: EntryColumns): Omit<BufferState, 'nextId' | 'measured'> {
  const { size } = columns;
  const attempts = new Numbering<Attempt>();
  const episodes = new Numbering<readonly Attempt[]>();
  const previous = Int32Array.from(columns.previous, (attempt) =>
    attempt === null ? NO_ATTEMPT : attempts.of(attempt),
  );
  const episode = Int32Array.from(columns.episode, (answers) => episodes.of(answers));
  const offsets = new Int32Array(episodes.things.length + 1);
  for (const [e, answers] of episodes.things.entries()) offsets[e + 1] = offsets[e]! + answers.length;
  const answers = new Int32Array(offsets.at(-1)!);
  let at = 0;
  for (const episode of episodes.things) for (const attempt of episode) answers[at++] = attempts.of(attempt);
  return {
    attempts: attempts.things,
    episodes: { offsets, answers },
    entries: {
      id: columns.id.slice(0, size),
      instance: columns.instance.slice(0, size),
      depth: columns.depth.slice(0, size),
      ...{ previous, episode },
      turn: columns.turn.slice(0, size),
      score: columns.score.slice(0, size),
      born: columns.born.slice(0, size),
      scored: columns.scored.slice(0, size),
    },
  };
}

export function* restoreEntries({ attempts, episodes, entries }: BufferState): Generator<Entry> {
  const { offsets, answers } = episodes;
  const lists = Array.from({ length: offsets.length - 1 }, (_, e) =>
    Array.from(answers.subarray(offsets[e], offsets[e + 1]), (number) => attempts[number]!),
  );
  for (let slot = 0; slot < entries.id.length; slot++) {
    const previous = entries.previous[slot]!;
    yield {
      id: entries.id[slot]!,
      instance: entries.instance[slot]!,
      depth: entries.depth[slot]!,
      previous: previous === NO_ATTEMPT ? null : attempts[previous]!,
      episode: lists[entries.episode[slot]!]!,
      turn: entries.turn[slot]!,
      score: entries.score[slot]!,
      born: entries.born[slot]!,
      scored: entries.scored[slot]!,
    };
  }
}
