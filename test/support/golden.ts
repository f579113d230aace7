// Where reference numbers are, and their manifests. EXIT_RL_GOLDEN names another folder of the same layout.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NativeModel } from '../../lib/native/addon.ts';
import { addon } from './addon.ts';
import { Tally, type Tolerance } from './compare.ts';
import { TensorFile } from './safetensors.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** The set that comes with the repository. */
export const FIXTURES: string = path.join(root, 'test/fixtures/golden');
export const GOLDEN: string = process.env['EXIT_RL_GOLDEN'] || FIXTURES;

export interface GoldenCase {
  readonly checkpoint: string;
  readonly tolerances: Readonly<Record<string, Tolerance>>;
}

export interface Folder<Case, Extra = unknown> {
  readonly manifest: { readonly cases: Readonly<Record<string, Case>> } & Extra;
  readonly cases: readonly (readonly [string, Case])[];
  readonly tally: Tally;
  file(name: string): TensorFile;
}

/** A golden folder; a set may leave folders out, then there are no cases. Prints its count when the tests are done, unless `title` is null. */
export function folder<Case, Extra = unknown>(
  name: string,
  options: { title?: string | null } = {},
): Folder<Case, Extra> {
  const directory = path.join(GOLDEN, name);
  const manifestPath = path.join(directory, 'manifest.json');
  const manifest = existsSync(manifestPath) ? JSON.parse(readFileSync(manifestPath, 'utf8')) : { cases: {} };
  const tally = new Tally(options.title ?? `golden/${name}`);
  if (options.title !== null) after(() => console.log(String(tally)));
  return {
    manifest,
    cases: Object.entries(manifest.cases) as [string, Case][],
    tally,
    file: (file) => new TensorFile(path.join(directory, `${file}.safetensors`)),
  };
}

export const checkpointPath = (name: string): string => path.join(GOLDEN, 'checkpoints', name);

/** A tolerance the manifest must have. */
export function tolerance(tolerances: Readonly<Record<string, Tolerance>>, name: string): Tolerance {
  const found = tolerances[name];
  if (!found) throw new Error(`the manifest has no tolerance for ${name}`);
  return found;
}

/**
 * Where the golden sets are computed: the CPU, or what EXIT_RL_TEST_DEVICE names.
 */
export const DEVICE: string = process.env['EXIT_RL_TEST_DEVICE'] || 'cpu';

/** Loads a checkpoint for the length of `use`. */
export async function withModel<T>(directory: string, use: (model: NativeModel) => Promise<T>): Promise<T> {
  const model = await addon.loadModel(directory, { dtype: 'float32', device: DEVICE, exact: true });
  try {
    return await use(model);
  } finally {
    model.close();
  }
}

/** A folder that is gone when `use` ends. */
export async function withTemporary<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(path.join(tmpdir(), 'exit-rl-test-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The two spellings of config.json that a checkpoint comes with: the newer keys, and config.v4.json with the older. */
export const CONFIG_SPELLINGS = ['config.json', 'config.v4.json'] as const;

export const withSpelling = <T>(
  checkpoint: string,
  spelling: string,
  use: (model: NativeModel) => Promise<T>,
): Promise<T> => withSpellingFolder(checkpoint, spelling, (directory) => withModel(directory, use));

/** The folder of a checkpoint whose config.json has one of the spellings. */
export async function withSpellingFolder<T>(
  checkpoint: string,
  spelling: string,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  if (spelling === 'config.json') return use(checkpointPath(checkpoint));
  return withTemporary((directory) => {
    cpSync(checkpointPath(checkpoint), directory, { recursive: true });
    cpSync(path.join(directory, spelling), path.join(directory, 'config.json'));
    return use(directory);
  });
}
