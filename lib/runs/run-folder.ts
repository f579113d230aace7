// A run on disk. With one strategy the folder itself is the arm; with several each arm is a folder in it that looks
// like a run of its own. The warm-up they share lies in warmup/.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatConfig, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { StrategyName } from '../curriculum/strategies.ts';
import { UsageError } from '../errors.ts';
import { withGenerationDefaults } from '../evaluation/sampling.ts';
import { withBase } from '../model.ts';
import { makeFolder, writeAtomically, writeJson } from './files.ts';
import { FreshFolder } from './fresh-folder.ts';

const CONFIG = 'config.yaml';

export interface Run {
  readonly path: string;
  readonly config: Config;
  /** Where the weights beside an adapter are, if not where its checkpoints say. */
  readonly base?: string | null;
  /** What may still be taken back; a run that was opened has none. */
  readonly fresh?: FreshFolder;
}

/** Creates the folder of a new run with its resolved configuration. */
export function createRun(path: string, wanted: Config, facts: Record<string, unknown>): Run {
  const config = withGenerationDefaults(wanted);
  if (existsSync(join(path, CONFIG))) {
    throw new UsageError(`${path} already holds a run; go on with --resume ${path}, or choose another --out`);
  }
  const fresh = new FreshFolder(path);
  for (const strategy of config.strategies) {
    const arm = armPath({ path, config }, strategy);
    if (arm === path) continue;
    makeFolder(arm);
    writeAtomically(join(arm, CONFIG), formatConfig({ ...config, strategies: [strategy] }));
    writeJson(join(arm, 'environment.json'), facts);
  }
  writeJson(join(path, 'environment.json'), facts);
  writeAtomically(join(path, CONFIG), formatConfig(config)); // last: a folder with it is complete
  return { path, config, fresh };
}

/** Opens the folder of a run. `base`: where the weights beside its adapter are now. */
export function openRun(path: string, base: string | null = null): Run {
  if (!existsSync(path)) throw new UsageError(`there is no run ${path}`);
  if (!existsSync(join(path, CONFIG))) throw new UsageError(`${path} is not a run folder: it has no ${CONFIG}`);
  return { path, config: withBase(loadConfig(join(path, CONFIG)), base), base };
}

/** The folder of one strategy's training. */
export const armPath = ({ path, config }: Run, strategy: StrategyName): string =>
  config.strategies.length === 1 ? path : join(path, strategy);

/** The folder of the shared supervised stage. */
export const warmupPath = ({ path }: Run): string => join(path, 'warmup');
