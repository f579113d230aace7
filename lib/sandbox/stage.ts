// Data folders that nobody (the user programs run as) may not read are copied to where it can, once for each state of
// the folder.
import {
  chmodSync,
  constants,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SandboxError } from './error.ts';

const READ = 0o4;
const SEARCH = 0o1;

/** Copies of folders, removed by `close` or when the process ends. */
export class Stage {
  readonly #asNobody: boolean;
  readonly #copies = new Map<string, string>();
  /** Found out once: folders may hold thousands of images. */
  readonly #readable = new Set<string>();
  readonly #atExit = (): void => this.close();

  /** `asNobody`: whether programs run as another user than this process. */
  constructor(asNobody: boolean) {
    this.#asNobody = asNobody;
  }

  /** The absolute path of the folder itself, or of a copy of it that everybody can read. */
  readable(folder: string): string {
    let real: string;
    try {
      real = realpathSync(folder);
      if (!statSync(real).isDirectory()) throw new Error('it is not a folder');
    } catch (error) {
      throw new SandboxError(`the data folder ${folder} cannot be read: ${(error as Error).message}`, { cause: error });
    }
    if (!this.#asNobody || this.#readable.has(real)) return real;
    if (ancestors(real).every((parent) => allows(parent, SEARCH)) && readableBelow(real)) {
      this.#readable.add(real);
      return real;
    }
    const key = `${real}\n${fingerprint(real)}`;
    const copy = this.#copies.get(key) ?? this.#copy(real);
    this.#copies.set(key, copy);
    return copy;
  }

  close(): void {
    process.off('exit', this.#atExit);
    for (const copy of this.#copies.values()) rmSync(path.dirname(copy), { recursive: true, force: true });
    this.#copies.clear();
  }

  #copy(folder: string): string {
    if (this.#copies.size === 0) process.on('exit', this.#atExit);
    const parent = mkdtempSync(path.join(tmpdir(), 'exit-rl-data-'));
    chmodSync(parent, 0o711);
    const copy = path.join(parent, 'data');
    // Links are left out: what they point to was not meant by whoever named the folder.
    const filter = (source: string): boolean => !lstatSync(source).isSymbolicLink();
    cpSync(folder, copy, { recursive: true, filter, mode: constants.COPYFILE_FICLONE });
    for (const { path: entry, isFolder } of below(copy)) chmodSync(entry, isFolder ? 0o755 : 0o644);
    return copy;
  }
}

const allows = (file: string, bits: number): boolean => (statSync(file).mode & bits) === bits;

function ancestors(folder: string): string[] {
  const parent = path.dirname(folder);
  return parent === folder ? [] : [parent, ...ancestors(parent)];
}

function below(folder: string): { path: string; isFolder: boolean }[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const found = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => ({ path: path.join(entry.parentPath ?? entry.path, entry.name), isFolder: entry.isDirectory() }));
  return [{ path: folder, isFolder: true }, ...found];
}

const readableBelow = (folder: string): boolean =>
  below(folder).every((entry) => allows(entry.path, entry.isFolder ? READ | SEARCH : READ));

/** Changes when a file of the folder does. */
function fingerprint(folder: string): string {
  return below(folder)
    .map((entry) => {
      const { size, mtimeMs, ino } = statSync(entry.path);
      return `${entry.path} ${size} ${mtimeMs} ${ino}`;
    })
    .join('\n');
}
