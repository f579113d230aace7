// From a configuration to results: the warm-up once, then each strategy from there, then the comparison. Every part
// continues from its newest checkpoint, so the same call starts, resumes and re-reads a run.
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import { TaskBuffer } from '../curriculum/buffer.ts';
import { Coverage } from '../curriculum/coverage.ts';
import { STRATEGIES, type StrategyName } from '../curriculum/strategies.ts';
import type { Environment } from '../environments/environment.ts';
import { UserError } from '../errors.ts';
import { type Curve, type CurvePoint, evaluate } from '../evaluation/evaluate.ts';
import { type EvaluationSampling, evaluationSampling } from '../evaluation/sampling.ts';
import { readCompanions } from '../huggingface/companions.ts';
import { type Learner, train } from '../loop.ts';
import { initialCompanions, modelFolder, openEnvironment, openFolder, openModel, requireBase } from '../model.ts';
import type { Addon, NativeModel } from '../native/addon.ts';
import { coverageStats } from '../step-stats.ts';
import type { StepStats } from '../types.ts';
import { warmUp } from '../warmup.ts';
import { type CheckpointSettings, latestCheckpoint, loadCurriculum, loadTrainingState } from './checkpoint.ts';
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

/** One stretch of training: its model, its folder, and what follows from where the model was loaded. */
interface Phase extends Context {
  readonly model: NativeModel;
  readonly folder: PhaseFolder;
  readonly saving: CheckpointSettings;
  /** Of evaluations. */
  readonly sampling: EvaluationSampling;
}

/** Runs, or goes on with, everything a run's configuration asks for. A new run that makes no step leaves no folder. */
export async function runExperiment(addon: Addon, run: Run, observer: Observer, stop: Stop): Promise<Results> {
  const unlock = lockRun(run.path);
  try {
    if (run.config.threads > 0) addon.setThreads(run.config.threads);
    const context = { addon, run, environment: openEnvironment(run.config), observer, stop };
    const results: Record<string, Curve> = {};
    if (run.config.warmup.steps > 0) results['warm-up'] = await runWarmUp(context);
    for (const strategy of run.config.strategies) results[strategy] = await runArm(context, strategy);
    writeJson(join(run.path, 'results.json'), results);
    return results;
  } catch (error) {
    run.fresh?.discard(error);
    throw error;
  } finally {
    unlock();
  }
}

async function runWarmUp(context: Context): Promise<Curve> {
  const { run, environment, observer, stop } = context;
  const { steps } = run.config.warmup;
  return inPhase(context, warmupPath(run), null, async (phase) => {
    const { model, folder } = phase;
    observer.phase('warm-up', folder.step, steps);
    await keepingSteps(phase, null, async (finished) => {
      let last = performance.now();
      for await (const trained of warmUp(run.config, environment, model, folder.step)) {
        const done = trained['step']!;
        const trainedAt = performance.now();
        let quality: StepStats = {};
        try {
          quality = await heldOut(phase, done);
        } finally {
          const [total, evaluation] = [trainedAt - last, performance.now() - trainedAt];
          folder.record({ ...trained, ...quality }, { total: total / 1000, evaluation: evaluation / 1000 });
          finished(done);
        }
        observer.step('warm-up', { ...trained, ...quality });
        await saveWhenDue(phase, done, steps, null);
        if (stop.requested && done < steps) throw new Interrupted(run.path);
        last = performance.now();
      }
    });
  });
}

async function runArm(context: Context, strategy: StrategyName): Promise<Curve> {
  const { addon, run, environment, observer, stop } = context;
  const { config } = run;
  const { steps } = config.train;
  const warm = config.warmup.steps > 0 ? latestCheckpoint(join(warmupPath(run), 'checkpoints')) : null;
  return inPhase(context, armPath(run, strategy), warm?.path ?? null, async (phase) => {
    const { model, folder } = phase;
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
      const stats = { step: 0, ...coverageStats(coverage), ...(await heldOut(phase, 0)) };
      folder.record(stats, {});
      observer.step(strategy, stats);
    }
    await keepingSteps(phase, curriculum, async (finished) => {
      for await (const { step, batch, failures, stats: trained, seconds } of train(learner, folder.step)) {
        const done = step + 1;
        const trainedAt = performance.now();
        let quality: StepStats = {};
        try {
          quality = await heldOut(phase, done);
        } finally {
          if (config.run.rollouts) folder.writeRollouts(done, batch);
          const evaluation = (performance.now() - trainedAt) / 1000;
          folder.record({ ...trained, ...quality }, { ...seconds, evaluation });
          for (const { reason, count } of folder.recordFailures(done, failures)) {
            observer.warn(`${strategy}, step ${done}: ${attempts(count)} could not be judged: ${firstLine(reason)}`);
          }
          finished(done);
        }
        observer.step(strategy, { ...trained, ...quality });
        await saveWhenDue(phase, done, steps, curriculum);
        if (stop.requested && done < steps) throw new Interrupted(run.path);
      }
    });
    reportFailures(strategy, folder, observer);
  });
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!;
const attempts = (count: number): string => (count === 1 ? '1 attempt' : `${count} attempts`);

/** Once per arm, however many there were. */
function reportFailures(strategy: string, { failures, path }: PhaseFolder, observer: Observer): void {
  const [first] = failures;
  if (first === undefined) return;
  const total = failures.reduce((sum, { count }) => sum + count, 0);
  const most = firstLine(first.reason) + (failures.length === 1 ? '' : ` (${first.count} of them)`);
  observer.warn(`${strategy}: ${attempts(total)} could not be judged: ${most}; see ${join(path, 'unjudged.json')}`);
}

/**
 * Runs a loop of steps, which tells of each that is finished. Should it fail, they are saved: an environment that breaks down
 * must not cost the steps before.
 */
async function keepingSteps(
  { run, folder, model, saving }: Phase,
  curriculum: (() => CurriculumState) | null,
  loop: (finished: (step: number) => void) => Promise<void>,
): Promise<void> {
  let [done, updates] = [folder.step, model.step];
  try {
    await loop((step) => {
      [done, updates] = [step, model.step];
      run.fresh?.keep();
    });
  } catch (error) {
    const hasMoved = model.step !== updates; // in the middle of the next step: the weights are of neither
    // The failure that led here says more than that of saving (a full disk may be both).
    if (done > folder.step && !hasMoved) {
      await folder.save(done, model, curriculum?.() ?? null, saving).catch(() => {});
    }
    throw error;
  }
}

/**
 * Opens a stage's folder and model, trains, and evaluates the result (once). A stage without a checkpoint starts from that of
 * another one, or as configured.
 */
async function inPhase(
  context: Context,
  path: string,
  start: string | null,
  body: (phase: Phase) => Promise<void>,
): Promise<Curve> {
  const { addon, run, environment, observer } = context;
  const { config } = run;
  const folder = new PhaseFolder(path, (message) => observer.warn(message));
  const { checkpoint } = folder;
  const saved = checkpoint?.path ?? start;
  let model: NativeModel | null = null;
  try {
    const sampling = evaluationSampling(config, environment);
    const saving = checkpointSettings(config, saved);
    model =
      saved === null
        ? await openModel(addon, config, environment)
        : await openFolder(addon, saved, { ...config.model, base: run.base ?? null });
    if (checkpoint !== null) await loadTrainingState(model, checkpoint);
    if (saved === null && model.adapter !== null) await requireSameBase(run, model);
    await body({ ...context, model, folder, saving, sampling });
    const file = join(path, 'evaluation.json');
    const { final: k, finalInstances: instances, samples } = config.evaluation;
    const curve =
      readJson<Curve>(file) ??
      (await evaluate(
        addon,
        model,
        environment,
        { ...sampling, k, instances, samples, seed: config.seed },
        config.rollout,
      ));
    writeJson(file, curve);
    return curve;
  } finally {
    model?.close();
    folder.close();
  }
}

/** The arms of a run start from the same weights, also when one starts on another day. */
async function requireSameBase(run: Run, model: NativeModel): Promise<void> {
  for (const strategy of run.config.strategies) {
    const other = latestCheckpoint(join(armPath(run, strategy), 'checkpoints'));
    if (other !== null) await requireBase(model, modelFolder(run.config)!, other.path);
  }
}

function checkpointSettings(config: Config, saved: string | null): CheckpointSettings {
  const { run, rollout } = config;
  const { temperature, topK: top_k, topP: top_p, minP: min_p } = rollout;
  return {
    keep: run.keep,
    maxShardBytes: run.maxShardBytes,
    companions: saved === null ? initialCompanions(config) : readCompanions(saved),
    sampling: { do_sample: true, temperature, top_k, top_p, ...(min_p > 0 && { min_p }) },
  };
}

async function saveWhenDue(
  { run, stop, folder, model, saving }: Phase,
  done: number,
  steps: number,
  curriculum: (() => CurriculumState) | null,
): Promise<void> {
  const { checkpointEvery } = run.config.run;
  await setImmediate(); // a turn of the event loop, so that Ctrl-C is heard even where nothing waits
  if (done % checkpointEvery !== 0 && done !== steps && !stop.requested) return;
  await folder.save(done, model, curriculum?.() ?? null, saving);
}

/** quality@k on held-out instances, in the steps that have an evaluation. */
async function heldOut({ addon, run, environment, model, sampling }: Phase, done: number): Promise<StepStats> {
  const { every, during: k, instances } = run.config.evaluation;
  if (every === 0 || done % every !== 0) return {};
  const settings = { ...sampling, k, instances, seed: run.config.seed };
  const { points } = await evaluate(addon, model, environment, settings, run.config.rollout);
  // Where no episode could be judged there is no quality, not one of 0.
  const quality = (point: CurvePoint): number | null => (point.unjudged < instances ? point.quality : null);
  return Object.fromEntries(points.map((point) => [`quality@${point.k}`, quality(point)]));
}
