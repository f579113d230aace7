// What a program in the WebAssembly backend reads: regular files of one folder, by their names in it.
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export class DataFolder {
  readonly #files = new Map<string, string>();

  /** Files are listed once; names that are not in the list do not exist, whatever they spell. */
  constructor(folder: string | null) {
    if (folder === null) return;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue; // links may lead out
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      this.#files.set(path.relative(folder, file).split(path.sep).join('/'), file);
    }
  }

  names(): string[] {
    return [...this.#files.keys()].sort();
  }

  /** The text of a file of at most `limit` bytes. */
  read(name: string, limit: number): string {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`there is no file ${name.slice(0, 100)} in the data folder`);
    const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    try {
      if (fstatSync(descriptor).size > limit) throw new Error(`${name} is larger than the memory`);
      return readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  }
}
