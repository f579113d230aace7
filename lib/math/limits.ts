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

/** Counts steps; shared by all that one comparison does. */
export class Budget {
  #left = STEPS;

  spend(steps = 1): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooMuchWork('the comparison takes too many steps');
  }
}
