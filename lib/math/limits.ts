// What keeps a comparison short, whatever it is given.

/** Longest answer that is read, in UTF-16 code units. */
export const LONGEST = 4096;
/** Deepest nesting of brackets and commands. */
export const DEEPEST = 64;
/** Steps of parsing, evaluation and comparison together: about five milliseconds. */
const STEPS = 60_000;

/** The answer asks for more work than an answer can need. Not a wrong answer: nobody knows. */
export class TooMuchWork extends Error {
  override readonly name = 'TooMuchWork';
}

/** It cannot be read as mathematics. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** What a comparison may be told. */
export interface Settings {
  /** Decimals to which numbers are compared, where one of them is written with a point and so perhaps rounded. */
  readonly decimals: number;
  /** Whether an inequality may answer for a set: off, because it may only repeat the question. */
  readonly relationForSet: boolean;
}

/** Counts steps; shared by all that one comparison does, as its settings are. */
export class Budget {
  readonly settings: Settings;
  #left = STEPS;

  constructor(settings: Partial<Settings> = {}) {
    this.settings = { decimals: 6, relationForSet: false, ...settings };
  }

  spend(steps = 1): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooMuchWork('the comparison takes too many steps');
  }
}
