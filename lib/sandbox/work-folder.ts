// The writable folder of a program in the WebAssembly backend: never on a disk.
import type { Limits } from './types.ts';

export class WorkFolder {
  readonly #files = new Map<string, Uint8Array>();
  readonly #limits: Limits;
  #used = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Writes a whole file. Throws what the program may catch. */
  write(name: string, text: string): void {
    const { fileBytes, diskBytes, files } = this.#limits;
    if (!/^[^/\\\0]{1,200}$/.test(name) || name === '.' || name === '..')
      throw new Error(`not a file name: ${name.slice(0, 100)}`);
    const bytes = Buffer.from(text);
    const before = this.#files.get(name)?.length ?? 0;
    if (bytes.length > fileBytes) throw new Error(`the file ${name} is larger than ${fileBytes} bytes`);
    if (this.#used - before + bytes.length > diskBytes) throw new Error('no space left in the working folder');
    if (!this.#files.has(name) && this.#files.size >= files)
      throw new Error(`more than ${files} files in the working folder`);
    this.#files.set(name, bytes);
    this.#used += bytes.length - before;
  }

  /** Those of the named files that exist. */
  collect(names: readonly string[]): { files: Map<string, Uint8Array>; refused: Map<string, string> } {
    const files = new Map<string, Uint8Array>();
    const refused = new Map<string, string>();
    for (const name of names) {
      const bytes = this.#files.get(name);
      if (bytes === undefined) continue;
      if (bytes.length > this.#limits.collectBytes)
        refused.set(name, `is larger than ${this.#limits.collectBytes} bytes`);
      else files.set(name, bytes);
    }
    return { files, refused };
  }
}
