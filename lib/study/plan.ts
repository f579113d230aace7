// What a study consists of: one run per environment and seed, each with all strategies, so that they share a warm-up.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { presetFile } from '../config/presets.ts';
import type { Config } from '../config/schema.ts';
import { STRATEGIES, type StrategyName } from '../curriculum/strategies.ts';
import { suggestion, UsageError } from '../errors.ts';
import { withGenerationDefaults } from '../evaluation/sampling.ts';
import { openRun } from '../runs/run-folder.ts';

export interface StudySettings {
  /** Names of presets. */
  readonly environments: readonly string[];
  readonly strategies: readonly StrategyName[];
  /** Runs per environment, with seeds 1 .. seeds. */
  readonly seeds: number;
  /** Numbers of self-iteration steps in the final evaluation. */
  readonly k: readonly number[];
  /** Overrides `a.b=c` of the presets. */
  readonly set: readonly string[];
}

/** A run folder of the study, which need not exist yet. */
export interface PlannedRun {
  readonly environment: string;
  readonly seed: number;
  readonly path: string;
  /** Overrides that turn the preset into `config`. */
  readonly set: readonly string[];
  readonly config: Config;
}

/** Settings that a study makes itself, and its option for each. */
const OWN: Readonly<Record<string, string>> = {
  seed: '--seeds',
  strategies: '--strategies',
  'evaluation.final': '--k',
};

/** Checks names and settings, and lists the runs: seed by seed, so that early results cover all environments. */
export function planStudy(out: string, settings: StudySettings, threads: number | null): PlannedRun[] {
  const { environments, strategies, seeds, k, set } = settings;
  for (const assignment of set) {
    const key = assignment.split('=')[0]!;
    if (OWN[key] !== undefined)
      throw new UsageError(`--set ${assignment}: a study sets ${key} itself; use ${OWN[key]}`);
  }
  const all = [
    'run.rollouts=false', // a study keeps curves, not tokens
    ...(threads === null ? [] : [`threads=${threads}`]),
    ...set,
    `strategies=[${strategies.join(', ')}]`,
    `evaluation.final=[${k.join(', ')}]`,
  ];
  return Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) =>
    environments.map((environment): PlannedRun => {
      const own = [...all, `seed=${seed}`];
      const path = join(out, environment, `seed-${seed}`);
      return { environment, seed, path, set: own, config: loadConfig(presetFile(environment), own) };
    }),
  );
}

/** Names of strategies, in the order of the ladder. */
export function strategyNames(list: readonly string[]): StrategyName[] {
  const names = Object.keys(STRATEGIES) as StrategyName[];
  for (const name of list) {
    if (names.includes(name as StrategyName)) continue;
    throw new UsageError(`unknown strategy "${name}"${suggestion(name, names)}; there are: ${names.join(', ')}`);
  }
  return names.filter((name) => list.includes(name));
}

/** finished: has results. interrupted: goes on from its newest checkpoint. */
export type RunState = 'new' | 'interrupted' | 'finished';

export function runState(path: string): RunState {
  if (!existsSync(join(path, 'config.yaml'))) return 'new';
  return existsSync(join(path, 'results.json')) ? 'finished' : 'interrupted';
}

/** Complains about a run folder that was made with other settings. How it is computed and what is kept may differ. */
export function rejectOtherSettings({ path, config }: PlannedRun): void {
  if (runState(path) === 'new') return;
  const comparable = ({ threads: _, run: __, ...rest }: Config): unknown => rest;
  const found = firstDifference(
    comparable(withGenerationDefaults(openRun(path).config)),
    comparable(withGenerationDefaults(config)),
  );
  if (found === null) return;
  const [key, then, now] = found;
  throw new UsageError(
    `${path} was made with ${key} = ${JSON.stringify(then)}, now it would be ${JSON.stringify(now)}; ` +
      'repeat the study with its old settings, or choose another --out',
  );
}

/** The first setting that differs, and its two values. */
export function firstDifference(a: unknown, b: unknown, path = ''): [path: string, a: unknown, b: unknown] | null {
  if (!isMapping(a) || !isMapping(b)) return JSON.stringify(a) === JSON.stringify(b) ? null : [path, a, b];
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifference(a[key], b[key], path === '' ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
