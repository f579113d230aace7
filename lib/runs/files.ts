// Files of a run. A full disk or a read-only folder is an error that says which path and what to do.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../errors.ts';

/** Names in a model folder, as the Hugging Face and peft packages have them. */
export const CONFIG = 'config.json';
export const WEIGHTS = 'model.safetensors';
export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space and resume the run',
  EDQUOT: 'the disk quota is used up; free some space and resume the run',
  EROFS: 'the file system is read-only; choose another folder with --out',
  EACCES: 'no permission; choose another folder with --out',
  EEXIST: 'there is a file of that name; choose another folder with --out',
  EPERM: 'no permission; choose another folder with --out',
  ENOTDIR: 'a part of the path is a file; choose another folder with --out',
  EISDIR: 'there is a folder of that name',
};

/** Runs a file operation; its failure names the path. */
export function onDisk<T>(what: string, path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw diskError(what, path, error);
  }
}

/** The error of a file operation in words. */
export function diskError(what: string, path: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const resumable = code === 'ENOSPC' || code === 'EDQUOT';
  return new UserError(`cannot ${what} ${path}: ${ADVICE[code ?? ''] ?? message}`, { resumable, cause: error });
}

/** Creates a folder and its parents. */
export function makeFolder(path: string): void {
  onDisk('create the folder', path, () => makeParents(resolve(path)));
}

/** mkdir's own recursive mode never returns in some virtual file systems. */
function makeParents(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  if (dirname(path) !== path) makeParents(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
  }
}

/**
 * Writes a file under a temporary name and renames it: a reader sees the old or the new content, never a part. A function
 * writes the content itself, to the file descriptor it is given.
 */
export function writeAtomically(
  path: string,
  content: string | Uint8Array | ((file: number) => void),
  options: { sync?: boolean } = {},
): void {
  const temporary = `${path}.tmp`;
  onDisk('write', path, () => {
    try {
      const file = openSync(temporary, 'w');
      try {
        if (typeof content === 'function') content(file);
        else writeFully(file, content);
        if (options.sync ?? true) fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}

/** Writes all bytes; a single write may stop early. */
export function writeFully(file: number, content: string | Uint8Array): void {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

/** Makes renames and new names inside a folder durable. Not possible on Windows, where it is skipped. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  onDisk('sync the folder', path, () => {
    const folder = openSync(path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  });
}

/** The parsed content of a JSON file; null when there is none. */
export function readJson<T>(path: string): T | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    throw new UserError(`${path} is damaged: ${(error as Error).message}`, { cause: error });
  }
}

/** Writes JSON atomically, creating the folder when needed. */
export function writeJson(path: string, value: unknown): void {
  makeFolder(dirname(path));
  writeAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}
