// One stretch of training on disk: journals, rollouts, checkpoints. Opening it again takes it back to its newest
// checkpoint, so what follows is as if nothing had been interrupted.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeBatch } from '../batch/file.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Batch, StepStats } from '../types.ts';
import {
  type Checkpoint,
  type CheckpointSettings,
  latestCheckpoint,
  saveCheckpoint,
  type SavedState,
  stepName,
  tidyCheckpoints,
} from './checkpoint.ts';
import type { CurriculumState } from './curriculum-file.ts';
import { type Failure, Failures } from './failures.ts';
import { makeFolder, onDisk } from './files.ts';
import { Journal } from './journal.ts';

const START: SavedState = { step: 0, metricsBytes: 0, timingsBytes: 0, failures: [] };

export class PhaseFolder {
  readonly path: string;
  /** Where to go on from; null: from the start. */
  readonly checkpoint: Checkpoint | null;
  readonly #metrics: Journal;
  readonly #timings: Journal;
  readonly #failures: Failures;
  #saved: number;

  constructor(path: string, warn: (message: string) => void) {
    this.path = path;
    makeFolder(this.#at('checkpoints'));
    this.checkpoint = latestCheckpoint(this.#at('checkpoints'), warn);
    const { step, metricsBytes, timingsBytes, failures } = this.checkpoint?.state ?? START;
    this.#saved = this.checkpoint === null ? -1 : step;
    tidyCheckpoints(this.#at('checkpoints'), step);
    this.#deleteRollouts(step);
    this.#metrics = new Journal(this.#at('metrics.jsonl'), metricsBytes);
    this.#timings = new Journal(this.#at('timings.jsonl'), timingsBytes);
    this.#failures = new Failures(this.#at('unjudged.json'), failures);
  }

  /** Steps done at the checkpoint. */
  get step(): number {
    return this.checkpoint?.state.step ?? 0;
  }

  /** One line of metrics.jsonl and one of timings.jsonl. */
  record(stats: StepStats, seconds: Readonly<Record<string, number>>): void {
    this.#metrics.append(stats);
    this.#timings.append({ step: stats['step'], ...seconds });
  }

  /** Counts in unjudged.json why attempts of a step could not be judged; returns the reasons that are new. */
  recordFailures(step: number, reasons: readonly string[]): Failure[] {
    return this.#failures.add(step, reasons);
  }

  /** Why attempts could not be judged, so far. */
  get failures(): readonly Failure[] {
    return this.#failures.list;
  }

  /** rollouts/step-NNNNNN.arrow */
  writeRollouts(step: number, batch: Batch): void {
    makeFolder(this.#at('rollouts'));
    writeBatch(join(this.#at('rollouts'), `${stepName(step)}.arrow`), batch);
  }

  /** Saves all state after `step` steps, once. */
  async save(
    step: number,
    model: NativeModel,
    curriculum: CurriculumState | null,
    settings: CheckpointSettings,
  ): Promise<void> {
    if (step === this.#saved) return;
    this.#metrics.sync(); // the checkpoint must not be ahead of the lines it counts
    this.#timings.sync();
    const state = {
      step,
      metricsBytes: this.#metrics.bytes,
      timingsBytes: this.#timings.bytes,
      failures: this.failures,
    };
    await saveCheckpoint(this.#at('checkpoints'), model, curriculum, state, settings);
    this.#saved = step;
  }

  close(): void {
    this.#metrics.close();
    this.#timings.close();
  }

  /** Rollouts of steps that will be made again, and files that were being written. */
  #deleteRollouts(afterStep: number): void {
    const folder = this.#at('rollouts');
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder)) {
      const step = /^step-(\d+)\.arrow$/.exec(name)?.[1];
      if (step !== undefined ? Number(step) > afterStep : name.endsWith('.tmp')) {
        onDisk('delete', join(folder, name), () => rmSync(join(folder, name)));
      }
    }
  }

  #at(name: string): string {
    return join(this.path, name);
  }
}
