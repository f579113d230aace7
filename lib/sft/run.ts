// A supervised stage on disk: the folder of a run with journals and checkpoints, which are Hugging Face folders. The same call
// starts a run and goes on with one.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { stringify } from 'yaml';
import { loadSettings } from '../config/load.ts';
import { type SftConfig, sftSchema } from '../config/sft.ts';
import { UsageError, UserError } from '../errors.ts';
import { readCompanions } from '../huggingface/companions.ts';
import { byteCompanions, modelFolder, openChat, openFolder, openModel, withBase } from '../model.ts';
import type { Addon } from '../native/addon.ts';
import { loadTrainingState, stepName } from '../runs/checkpoint.ts';
import type { Observer, Stop } from '../runs/experiment.ts';
import { writeAtomically, writeJson } from '../runs/files.ts';
import { FreshFolder } from '../runs/fresh-folder.ts';
import { lockRun } from '../runs/lock.ts';
import { PhaseFolder } from '../runs/phase-folder.ts';
import { readExamples } from './examples.ts';
import { planSteps } from './plan.ts';
import { exampleLoss, supervise } from './supervise.ts';

const CONFIG = 'sft.yaml';

export interface SftRun {
  readonly path: string;
  readonly config: SftConfig;
  /** As of `Run`. */
  readonly base?: string | null;
  readonly fresh?: FreshFolder;
}

export interface SftResult {
  readonly steps: number;
  /** Nats per token; null where nothing is held out. */
  readonly heldOutLoss: number | null;
  /** The last checkpoint. */
  readonly model: string;
}

export function createSftRun(path: string, config: SftConfig, facts: Record<string, unknown>): SftRun {
  if (existsSync(join(path, CONFIG))) {
    throw new UsageError(`${path} already holds a run; go on with --resume ${path}, or choose another --out`);
  }
  const fresh = new FreshFolder(path);
  writeJson(join(path, 'environment.json'), facts);
  writeAtomically(join(path, CONFIG), stringify(config)); // last: a folder with it is complete
  return { path, config, fresh };
}

export function openSftRun(path: string, base: string | null = null): SftRun {
  const file = join(path, CONFIG);
  if (!existsSync(file)) throw new UsageError(`${path} is not the folder of a supervised stage: it has no ${CONFIG}`);
  return { path, config: withBase(loadSettings(sftSchema, file), base), base };
}

/** A new run that makes no step leaves no folder. */
export async function runSft(addon: Addon, run: SftRun, observer: Observer, stop: Stop): Promise<SftResult> {
  const unlock = lockRun(run.path);
  try {
    if (run.config.threads > 0) addon.setThreads(run.config.threads);
    return await inFolder(addon, run, observer, stop);
  } catch (error) {
    run.fresh?.discard(error);
    throw error;
  } finally {
    unlock();
  }
}

async function inFolder(addon: Addon, run: SftRun, observer: Observer, stop: Stop): Promise<SftResult> {
  const { path, config, base = null } = run;
  const folder = modelFolder(config);
  const chat = openChat(folder);
  const { train, heldOut, skipped } = readExamples(config, chat);
  if (skipped > 0) observer.warn(`${skipped} examples have more than ${config.data.maxTokens} tokens and are left out`);
  const plan = planSteps(train, { ...config.train, seed: config.seed });
  const phase = new PhaseFolder(path, (message) => observer.warn(message));
  const saving = {
    ...config.run,
    companions: folder === null ? byteCompanions() : readCompanions(folder),
    sampling: { do_sample: true, temperature: 1 },
  };
  const sizes = {
    ...{ name: 'sft', vocabularySize: chat.tokenizer.vocabularySize, promptTokens: config.data.maxTokens },
    attempt: { maxTokens: 1, stopTokens: chat.stopTokens(), stopSequences: [] },
  };
  const { checkpoint } = phase;
  const model =
    checkpoint === null
      ? await openModel(addon, config, sizes)
      : await openFolder(addon, checkpoint.path, { ...config.model, base });
  try {
    if (checkpoint !== null) await loadTrainingState(model, checkpoint);
    const loss = (): Promise<number | null> => exampleLoss(model, heldOut, config.train.microBatchTokens);
    observer.phase('sft', phase.step, plan.length);
    const examples = (step: number) => plan[step]!.map((i) => train[i]!);
    let last = performance.now();
    const { optimizer } = config;
    const supervision = { steps: plan.length, optimizer, train: config.train, examples };
    for await (const trained of supervise(model, supervision, phase.step)) {
      const done = trained['step']!;
      const { evaluateEvery } = config.train;
      const due = done === plan.length || (evaluateEvery > 0 && done % evaluateEvery === 0);
      const stats = due && heldOut.length > 0 ? { ...trained, heldOutLoss: await loss() } : trained;
      phase.record(stats, { total: (performance.now() - last) / 1000 });
      run.fresh?.keep();
      observer.step('sft', stats);
      await setImmediate(); // a turn of the event loop, so that Ctrl-C is heard
      const save = done === plan.length || done % config.run.checkpointEvery === 0 || stop.requested;
      if (save) await phase.save(done, model, null, saving);
      if (stop.requested && done < plan.length) {
        throw new UserError(`stopped and saved; go on with: exit-rl sft --resume ${path}`, { exitCode: 130 });
      }
      last = performance.now();
    }
    const heldOutLoss = heldOut.length === 0 ? null : await loss();
    return { steps: plan.length, heldOutLoss, model: join(path, 'checkpoints', stepName(plan.length)) };
  } finally {
    model.close();
    phase.close();
  }
}
