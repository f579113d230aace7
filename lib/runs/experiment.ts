// From a configuration to results: the warm-up once, then each strategy from there, then the comparison. Every part
// continues from its newest checkpoint, so the same call starts, resumes and re-reads a run.
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { TaskBuffer } from '../curriculum/buffer.ts';
import { Coverage } from '../curriculum/coverage.ts';
import { STRATEGIES, type StrategyName } from '../curriculum/strategies.ts';
import { createEnvironment } from '../environments/create.ts';
import type { Environment } from '../environments/environment.ts';
import { UserError } from '../errors.ts';
import { type Curve, evaluate } from '../evaluation/evaluate.ts';
import { type Learner, train } from '../loop.ts';
import { openModel } from '../model.ts';
import type { Addon, NativeModel } from '../native/addon.ts';
import { coverageStats } from '../step-stats.ts';
import type { StepStats } from '../types.ts';
import { warmUp } from '../warmup.ts';
import { latestCheckpoint, loadCurriculum, loadTrainingState } from './checkpoint.ts';
import type { CurriculumState } from './curriculum-file.ts';
import { readJson, writeJson } from './files.ts';
import { lockRun } from './lock.ts';
import { PhaseFolder } from './phase-folder.ts';
import { armPath, type Run, warmupPath } from './run-folder.ts';

/** Hears what happens; the command line draws it. */
export interface Observer {
  phase(name: string, done: number, steps: number): void;
  step(name: string, stats: StepStats): void;
  warn(message: string): void;
}

/** Set `requested` to end after the current step, saved. */
export interface Stop {
  requested: boolean;
}

/** The run was ended by request; it can be resumed. */
export class Interrupted extends UserError {
  constructor(path: string) {
    super(`stopped and saved; go on with: exit-rl train --resume ${path}`, { exitCode: 130 });
  }
}

/** Held-out curves by stage: `warm-up` and each strategy. */
export type Results = Readonly<Record<string, Curve>>;

interface Context {
  readonly addon: Addon;
  readonly run: Run;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly stop: Stop;
}

/** Runs, or goes on with, everything a run's configuration asks for. */
export async function runExperiment(addon: Addon, run: Run, observer: Observer, stop: Stop): Promise<Results> {
  const unlock = lockRun(run.path);
  try {
    if (run.config.threads > 0) addon.setThreads(run.config.threads);
    const context = { addon, run, environment: createEnvironment(run.config.environment), observer, stop };
    const results: Record<string, Curve> = {};
    if (run.config.warmup.steps > 0) results['warm-up'] = await runWarmUp(context);
    for (const strategy of run.config.strategies) results[strategy] = await runArm(context, strategy);
    writeJson(join(run.path, 'results.json'), results);
    return results;
  } finally {
    unlock();
  }
}

async function runWarmUp(context: Context): Promise<Curve> {
  const { addon, run, environment, observer, stop } = context;
  const { steps } = run.config.warmup;
  return inPhase(
    context,
    warmupPath(run),
    () => openModel(addon, run.config, environment),
    async (model, folder) => {
      observer.phase('warm-up', folder.step, steps);
      let last = performance.now();
      for await (const trained of warmUp(run.config, environment, model, folder.step)) {
        const done = trained['step']!;
        const trainedAt = performance.now();
        const stats = { ...trained, ...(await heldOut(context, model, done)) };
        folder.record(stats, { total: (trainedAt - last) / 1000, evaluation: (performance.now() - trainedAt) / 1000 });
        observer.step('warm-up', stats);
        await saveWhenDue(context, folder, done, steps, model, null);
        if (stop.requested && done < steps) throw new Interrupted(run.path);
        last = performance.now();
      }
    },
  );
}

async function runArm(context: Context, strategy: StrategyName): Promise<Curve> {
  const { addon, run, environment, observer, stop } = context;
  const { config } = run;
  const { steps } = config.train;
  const start = (): Promise<NativeModel> => {
    const warm = config.warmup.steps > 0 ? latestCheckpoint(join(warmupPath(run), 'checkpoints')) : null;
    return warm === null ? openModel(addon, config, environment) : addon.loadModel(warm.path);
  };
  return inPhase(context, armPath(run, strategy), start, async (model, folder) => {
    const buffer = new TaskBuffer(config.curriculum);
    const coverage = new Coverage();
    if (folder.checkpoint !== null) {
      const saved = await loadCurriculum(folder.checkpoint);
      buffer.restore(saved.buffer);
      coverage.restore(saved.coverage);
    }
    const curriculum = (): CurriculumState => ({ buffer: buffer.save(), coverage: coverage.save() });
    const learner: Learner = { config, strategy: STRATEGIES[strategy], environment, addon, model, buffer, coverage };
    observer.phase(strategy, folder.step, steps);
    if (folder.checkpoint === null) {
      const stats = { step: 0, ...coverageStats(coverage), ...(await heldOut(context, model, 0)) };
      folder.record(stats, {});
      observer.step(strategy, stats);
    }
    let done = folder.step;
    let updates = model.step;
    try {
      for await (const { step, batch, stats: trained, seconds } of train(learner, folder.step)) {
        const before = performance.now();
        const stats = { ...trained, ...(await heldOut(context, model, step + 1)) };
        if (config.run.rollouts) folder.writeRollouts(step + 1, batch);
        folder.record(stats, { ...seconds, evaluation: (performance.now() - before) / 1000 });
        [done, updates] = [step + 1, model.step];
        observer.step(strategy, stats);
        await saveWhenDue(context, folder, done, steps, model, curriculum);
        if (stop.requested && done < steps) throw new Interrupted(run.path);
      }
    } catch (error) {
      // An environment that fails must not cost the steps before: the weights are still those of the last one.
      if (done > folder.step && model.step === updates) await keepFinishedSteps(folder, done, model, curriculum, run);
      throw error;
    }
  });
}

async function keepFinishedSteps(
  folder: PhaseFolder,
  done: number,
  model: NativeModel,
  curriculum: () => CurriculumState,
  run: Run,
): Promise<void> {
  try {
    await folder.save(done, model, curriculum(), run.config.run.keep);
  } catch {
    // The failure that led here says more than that of saving (a full disk may be both).
  }
}

/** Opens a stage's folder and model, trains, and evaluates the result (once). */
async function inPhase(
  { addon, run, environment, observer }: Context,
  path: string,
  start: () => Promise<NativeModel>,
  body: (model: NativeModel, folder: PhaseFolder) => Promise<void>,
): Promise<Curve> {
  const folder = new PhaseFolder(path, (message) => observer.warn(message));
  const { checkpoint } = folder;
  const model = checkpoint === null ? await start() : await addon.loadModel(checkpoint.path);
  try {
    if (checkpoint !== null) await loadTrainingState(model, checkpoint);
    await body(model, folder);
    const file = join(path, 'evaluation.json');
    const { final: k, finalInstances: instances, samples, temperature } = run.config.evaluation;
    const curve =
      readJson<Curve>(file) ??
      (await evaluate(addon, model, environment, { k, instances, samples, temperature, seed: run.config.seed }));
    writeJson(file, curve);
    return curve;
  } finally {
    model.close();
    folder.close();
  }
}

async function saveWhenDue(
  { run, stop }: Context,
  folder: PhaseFolder,
  done: number,
  steps: number,
  model: NativeModel,
  curriculum: (() => CurriculumState) | null,
): Promise<void> {
  const { checkpointEvery, keep } = run.config.run;
  await setImmediate(); // a turn of the event loop, so that Ctrl-C is heard even where nothing waits
  if (done % checkpointEvery !== 0 && done !== steps && !stop.requested) return;
  await folder.save(done, model, curriculum?.() ?? null, keep);
}

/** quality@k on held-out instances, in the steps that have an evaluation. */
async function heldOut({ addon, run, environment }: Context, model: NativeModel, done: number): Promise<StepStats> {
  const { every, during: k, instances, temperature } = run.config.evaluation;
  if (every === 0 || done % every !== 0) return {};
  const { points } = await evaluate(addon, model, environment, { k, instances, temperature, seed: run.config.seed });
  return Object.fromEntries(points.map((point) => [`quality@${point.k}`, point.quality]));
}
