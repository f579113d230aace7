// Why attempts could not be judged: unjudged.json holds each reason once, with how often and when.
import { rmSync } from 'node:fs';
import { onDisk, writeAtomically } from './files.ts';

export interface Failure {
  readonly reason: string;
  /** Verdicts that are missing for this reason. */
  count: number;
  readonly firstStep: number;
  lastStep: number;
}

/** More reasons than this are one: a verifier may put a number of its own into each. */
const MOST_REASONS = 50;
const OTHERS = 'other reasons';
const LONGEST = 500;

export class Failures {
  readonly #path: string;
  readonly #failures: Map<string, Failure>;

  /** Goes on from what was saved; the file is made to say the same. */
  constructor(path: string, saved: readonly Failure[]) {
    this.#path = path;
    this.#failures = new Map(saved.map((failure) => [failure.reason, { ...failure }]));
    if (saved.length > 0) this.#write();
    else onDisk('delete', path, () => rmSync(path, { force: true }));
  }

  /** Counts the reasons of one step. Returns those that are new, with how often they came. */
  add(step: number, reasons: readonly string[]): Failure[] {
    const added: Failure[] = [];
    for (const text of reasons) {
      const short = text.length > LONGEST ? `${text.slice(0, LONGEST)} ...` : text;
      const reason = this.#failures.has(short) || this.#failures.size < MOST_REASONS ? short : OTHERS;
      let failure = this.#failures.get(reason);
      if (failure === undefined) {
        failure = { reason, count: 0, firstStep: step, lastStep: step };
        this.#failures.set(reason, failure);
        added.push(failure);
      }
      failure.count++;
      failure.lastStep = step;
    }
    if (reasons.length > 0) this.#write();
    return added;
  }

  /** The most frequent first. */
  get list(): Failure[] {
    return [...this.#failures.values()].sort((a, b) => b.count - a.count || a.firstStep - b.firstStep);
  }

  #write(): void {
    writeAtomically(this.#path, `${JSON.stringify(this.list, null, 2)}\n`, { sync: false });
  }
}
