// A file of JSON lines that can be cut back to where it was when a checkpoint was taken.
import { closeSync, fsyncSync, ftruncateSync, openSync, fstatSync } from 'node:fs';
import { UserError } from '../errors.ts';
import { onDisk, writeFully } from './files.ts';

export class Journal {
  readonly path: string;
  readonly #file: number;
  #bytes: number;

  /** Opens the file and keeps its first `bytes` bytes. */
  constructor(path: string, bytes: number) {
    this.path = path;
    this.#bytes = bytes;
    this.#file = onDisk('open', path, () => openSync(path, 'a'));
    const size = fstatSync(this.#file).size;
    if (size < bytes) {
      closeSync(this.#file);
      throw new UserError(`${path} is shorter (${size} bytes) than its checkpoint says (${bytes}): the run was edited`);
    }
    if (size > bytes) onDisk('truncate', path, () => ftruncateSync(this.#file, bytes));
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(value: unknown): void {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    onDisk('write', this.path, () => writeFully(this.#file, line));
    this.#bytes += line.length;
  }

  /** Makes all lines durable. */
  sync(): void {
    onDisk('sync', this.path, () => fsyncSync(this.#file));
  }

  close(): void {
    closeSync(this.#file);
  }
}
