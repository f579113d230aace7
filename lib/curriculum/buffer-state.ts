// A task buffer as JSON. What is shared is written once: an attempt however many entries start from it, an episode however
// many of its turns are start points.
import type { Attempt } from '../types.ts';
import type { Entry } from './entry.ts';

/** What a buffer is besides its settings. */
export interface BufferState {
  readonly nextId: number;
  /** Step of the newest measurement. */
  readonly measured: number;
  readonly attempts: readonly { tokens: readonly number[]; feedback: readonly number[]; quality: number }[];
  /** Each a list of indices into `attempts`. */
  readonly episodes: readonly (readonly number[])[];
  /** In slot order; `previous` is an index into `attempts`, `episode` one into `episodes`. */
  readonly entries: readonly (Omit<Entry, 'previous' | 'episode'> & {
    readonly previous: number | null;
    readonly episode: number;
  })[];
}

/** Numbers things in the order they are asked for. */
class Numbering<T> {
  readonly #numbers = new Map<T, number>();

  of(thing: T): number {
    const number = this.#numbers.get(thing) ?? this.#numbers.size;
    this.#numbers.set(thing, number);
    return number;
  }

  get things(): T[] {
    return [...this.#numbers.keys()];
  }
}

export function saveEntries(slots: readonly Entry[]): Omit<BufferState, 'nextId' | 'measured'> {
  const attempts = new Numbering<Attempt>();
  const episodes = new Numbering<readonly Attempt[]>();
  const entries = slots.map((entry) => ({
    ...entry,
    previous: entry.previous === null ? null : attempts.of(entry.previous),
    episode: episodes.of(entry.episode),
  }));
  return {
    entries,
    episodes: episodes.things.map((episode) => episode.map((attempt) => attempts.of(attempt))),
    attempts: attempts.things.map(({ tokens, feedback, quality }) => ({
      tokens: [...tokens],
      feedback: [...feedback],
      quality,
    })),
  };
}

export function restoreEntries(state: BufferState): Entry[] {
  const attempts = state.attempts.map(({ tokens, feedback, quality }) => ({
    tokens: Int32Array.from(tokens),
    feedback: Int32Array.from(feedback),
    quality,
  }));
  const episodes = state.episodes.map((episode) => episode.map((index) => attempts[index]!));
  return state.entries.map((entry) => ({
    ...entry,
    previous: entry.previous === null ? null : attempts[entry.previous]!,
    episode: episodes[entry.episode]!,
  }));
}
