// Reads what the runs of a study left behind.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Curve } from '../evaluation/evaluate.ts';
import { UserError } from '../errors.ts';
import { onDisk, readJson } from '../runs/files.ts';
import { armPath } from '../runs/run-folder.ts';
import type { StepStats } from '../types.ts';
import type { PlannedRun } from './plan.ts';

/** One finished run. */
export interface RunRecord {
  readonly environment: string;
  readonly seed: number;
  /** Final curves by stage: `warm-up` and each strategy. */
  readonly curves: Readonly<Record<string, Curve>>;
  /** Lines of metrics.jsonl by strategy. */
  readonly metrics: Readonly<Record<string, readonly StepStats[]>>;
}

export function readRun(run: PlannedRun): RunRecord {
  const file = join(run.path, 'results.json');
  const curves = readJson<RunRecord['curves']>(file);
  if (curves === null) throw new UserError(`${file} is missing; give the same command again to finish the run`);
  const metrics = run.config.strategies.map((strategy) => [
    strategy,
    readLines(join(armPath(run, strategy), 'metrics.jsonl')),
  ]);
  return { environment: run.environment, seed: run.seed, curves, metrics: Object.fromEntries(metrics) };
}

const readLines = (path: string): StepStats[] =>
  onDisk('read', path, () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as StepStats),
  );
