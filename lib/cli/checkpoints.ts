// Finds the models of a run for commands that read it.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import { latestCheckpoint, problemOf, stepName, usableSteps } from '../runs/checkpoint.ts';
import { ADAPTER_CONFIG, CONFIG } from '../runs/files.ts';
import { armPath, openRun, warmupPath } from '../runs/run-folder.ts';

export interface SavedModel {
  readonly name: string;
  readonly path: string;
  readonly config: Config;
}

/**
 * The newest checkpoint (or that of a step) of each stage of a run folder; or of one arm; or the checkpoint folder itself.
 * `base`: where the weights beside their adapters are now.
 */
export function savedModels(path: string, step: number | null, base: string | null = null): SavedModel[] {
  if (existsSync(join(path, 'state.json'))) return [checkpointFolder(path, base)];
  const run = openRun(path, base);
  const stages: [string, string][] = [
    ['warm-up', warmupPath(run)],
    ...run.config.strategies.map((strategy): [string, string] => [strategy, armPath(run, strategy)]),
  ];
  const models = stages.flatMap(([name, stage]) => {
    const folder = join(stage, 'checkpoints');
    const wanted = step === null ? (latestCheckpoint(folder)?.path ?? null) : join(folder, stepName(step));
    const usable = wanted !== null && problemOf(wanted) === null;
    return usable ? [{ name, path: wanted, config: run.config }] : [];
  });
  if (models.length === 0) {
    const existing = [...new Set(stages.flatMap(([, stage]) => usableSteps(join(stage, 'checkpoints'))))];
    const fix =
      existing.length === 0
        ? `train it first: exit-rl train --resume ${ownerOf(path)}`
        : `usable steps: ${existing.sort((a, b) => a - b).join(', ')}`;
    throw new UsageError(`${path} has no checkpoint${step === null ? ' yet' : ` of step ${step}`}; ${fix}`);
  }
  return models;
}

/**
 * The one model that a path means: a model folder, a checkpoint, or the newest checkpoint (or that of a step) of a run. Of a
 * run with several strategies one has to be chosen: each has a folder in it.
 */
export function oneModel(path: string, step: number | null): Omit<SavedModel, 'config'> & { config: Config | null } {
  const has = (name: string): boolean => existsSync(join(path, name));
  if (!existsSync(path)) throw new UsageError(`there is no folder ${path}`);
  if (!has('state.json') && !has('config.yaml')) {
    if (!has(CONFIG) && !has(ADAPTER_CONFIG)) {
      throw new UsageError(`${path} is neither a model folder (with ${CONFIG}) nor a run (with config.yaml)`);
    }
    if (step !== null) throw new UsageError(`--step ${step}: ${path} is a model folder, only runs have steps`);
    return { name: basename(resolve(path)), path, config: null };
  }
  const models = savedModels(path, step);
  const last = models.at(-1)!;
  const arms = last.config.strategies;
  if (arms.length > 1 && !has('state.json')) {
    const folders = models.map((model) => (model.name === 'warm-up' ? model.path : join(path, model.name)));
    throw new UsageError(`${path} has several models; choose one of: ${folders.join(', ')}`);
  }
  return last;
}

function checkpointFolder(path: string, base: string | null): SavedModel {
  const problem = problemOf(path);
  if (problem !== null) throw new UsageError(`the checkpoint ${path} cannot be used: ${problem}`);
  const stage = dirname(dirname(resolve(path)));
  const owner = existsSync(join(stage, 'config.yaml')) ? stage : dirname(stage); // warmup/ has no config of its own
  return { name: stage.split(/[\\/]/).at(-1)!, path, config: openRun(owner, base).config };
}

/** The run to resume: of an arm the folder above, which holds the warm-up. */
const ownerOf = (path: string): string => (existsSync(join(path, '..', 'config.yaml')) ? dirname(resolve(path)) : path);
