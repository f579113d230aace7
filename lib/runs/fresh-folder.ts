// The folder of a new run, which goes again when the run cannot make its first step: the same --out can then be given with
// better settings.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.ts';
import { makeFolder, onDisk } from './files.ts';

export class FreshFolder {
  readonly #path: string;
  /** Names that were there before. */
  readonly #before: ReadonlySet<string>;
  /** Folders that were made, the innermost first. */
  readonly #made: readonly string[];
  #kept = false;

  /** Makes the folder, which may be there already. */
  constructor(path: string) {
    this.#path = resolve(path);
    this.#made = missing(this.#path);
    makeFolder(path);
    this.#before = new Set(onDisk('read the folder', path, () => readdirSync(path)));
  }

  /** Something was achieved: nothing is taken back from now on. */
  keep(): void {
    this.#kept = true;
  }

  /** Takes back what was made since, unless there is something to keep or to go on with. Never throws. */
  discard(error: unknown): void {
    if (this.#kept || (error instanceof UserError && error.resumable)) return;
    this.#kept = true;
    try {
      for (const name of readdirSync(this.#path)) {
        if (!this.#before.has(name)) rmSync(join(this.#path, name), { recursive: true, force: true });
      }
      for (const folder of this.#made) rmdirSync(folder); // fails where somebody else has put something
    } catch {
      // What the run failed for says more.
    }
  }
}

/** The folders that are not there on the way to `path`, the innermost first. */
function missing(path: string): string[] {
  return existsSync(path) || dirname(path) === path ? [] : [path, ...missing(dirname(path))];
}
