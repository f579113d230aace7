// Checkpoints: folders step-NNNNNN that are Hugging Face folders (weights in float32, config.json, generation_config.json,
// and the tokenizer and chat template that the model came with), or where an adapter is trained those of the peft package
// (adapter_config.json, adapter_model.safetensors), with the training state beside them. Written under another name and
// renamed when complete, so a folder of that name is whole.
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Companion } from '../huggingface/companions.ts';
import { writeModelFolder } from '../huggingface/folder.ts';
import type { NativeModel } from '../native/addon.ts';
import { type CurriculumState, readCurriculum, writeCurriculum } from './curriculum-file.ts';
import type { Failure } from './failures.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, makeFolder, onDisk, readJson, syncFolder, writeAtomically } from './files.ts';

/** state.json: how far the run was, how long the journals were, and why attempts could not be judged. */
export interface SavedState {
  readonly step: number;
  readonly metricsBytes: number;
  readonly timingsBytes: number;
  readonly failures: readonly Failure[];
}

interface StateFile extends SavedState {
  /** Sizes of the other files: a copy that was cut short is noticed. */
  readonly files: Readonly<Record<string, number>>;
  /** Null for the warm-up, which has none. */
  readonly curriculumChecksum: number | null;
  /** Of the weights beside which an adapter is trained; null where there is none. */
  readonly base: string | null;
}

export interface Checkpoint {
  readonly path: string;
  readonly state: StateFile;
}

const OPTIMIZER = 'optimizer.safetensors';
const CURRICULUM = 'curriculum.arrow';
const STATE = 'state.json';
const NAME = /^step-(\d{6,})$/;

/** step-000120 */
export const stepName = (step: number): string => `step-${String(step).padStart(6, '0')}`;

/** What of a run's model and configuration goes into each of its checkpoints. */
export interface CheckpointSettings {
  readonly keep: number;
  readonly maxShardBytes: number;
  readonly companions: readonly Companion[];
  /** How attempts are sampled in training, in the keys of generation_config.json. */
  readonly sampling: Readonly<Record<string, unknown>>;
}

/** Writes a checkpoint and deletes all but the newest `keep`. The warm-up has no curriculum. */
export async function saveCheckpoint(
  folder: string,
  model: NativeModel,
  curriculum: CurriculumState | null,
  state: SavedState,
  { keep, ...settings }: CheckpointSettings,
): Promise<string> {
  const path = join(folder, stepName(state.step));
  if (existsSync(path)) return path; // the same step has the same content
  const partial = join(folder, `.partial-${stepName(state.step)}`);
  onDisk('delete', partial, () => rmSync(partial, { recursive: true, force: true }));
  makeFolder(partial);
  try {
    const written = await saveModel(partial, model, settings);
    await model.saveState(join(partial, OPTIMIZER));
    const file = join(partial, CURRICULUM);
    const curriculumChecksum = curriculum === null ? null : writeCurriculum(file, curriculum);
    const names = [...written, OPTIMIZER, ...(curriculum === null ? [] : [CURRICULUM])];
    const files = Object.fromEntries(names.map((name) => [name, statSync(join(partial, name)).size]));
    const base = model.adapter === null ? null : await model.fingerprint();
    const content: StateFile = { ...state, files, curriculumChecksum, base };
    writeAtomically(join(partial, STATE), JSON.stringify(content));
    syncFolder(partial);
    onDisk('write', path, () => renameSync(partial, path));
  } catch (error) {
    rmSync(partial, { recursive: true, force: true }); // it may be what fills the disk
    throw error;
  }
  syncFolder(folder);
  for (const old of stepFolders(folder).slice(keep)) discard(folder, old);
  return path;
}

/** Writes the model, or its adapter alone; returns the names of the files. */
async function saveModel(
  path: string,
  model: NativeModel,
  settings: Omit<CheckpointSettings, 'keep'>,
): Promise<readonly string[]> {
  const { adapter } = model;
  if (adapter === null) return writeModelFolder(path, model, { ...settings, dtype: 'master' });
  await model.saveAdapter(join(path, ADAPTER_WEIGHTS));
  writeAtomically(join(path, ADAPTER_CONFIG), adapter.config);
  return [ADAPTER_WEIGHTS, ADAPTER_CONFIG];
}

/** The newest complete checkpoint; `warn` hears of damaged ones, which are skipped. */
export function latestCheckpoint(folder: string, warn: (message: string) => void = () => {}): Checkpoint | null {
  for (const name of stepFolders(folder)) {
    const path = join(folder, name);
    const problem = problemOf(path);
    if (problem === null) return { path, state: readJson<StateFile>(join(path, STATE))! };
    warn(`skipping the checkpoint ${path}: ${problem}`);
  }
  return null;
}

/** Steps of the complete checkpoints, newest first. */
export const usableSteps = (folder: string): number[] =>
  stepFolders(folder)
    .filter((name) => problemOf(join(folder, name)) === null)
    .map((name) => Number(NAME.exec(name)![1]));

/** Removes what a killed process left half done, and checkpoints after `step`. */
export function tidyCheckpoints(folder: string, step: number): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const number = NAME.exec(name)?.[1];
    if (name.startsWith('.partial-') || name.startsWith('.old-')) {
      onDisk('delete', join(folder, name), () => rmSync(join(folder, name), { recursive: true, force: true }));
    } else if (number !== undefined && Number(number) > step) discard(folder, name);
  }
}

/** Why a checkpoint cannot be used; null when it can. */
export function problemOf(path: string): string | null {
  let state: StateFile | null;
  try {
    state = readJson<StateFile>(join(path, STATE));
  } catch (error) {
    return (error as Error).message;
  }
  if (state === null) return `${STATE} is missing`;
  for (const [name, size] of Object.entries(state.files)) {
    if (!existsSync(join(path, name))) return `${name} is missing`;
    const found = statSync(join(path, name)).size;
    if (found !== size) return `${name} has ${found} bytes instead of ${size}`;
  }
  return null;
}

/** The fingerprint of the weights to which the adapter of a checkpoint belongs; null where nothing is said about it. */
export const baseFingerprint = (path: string): string | null =>
  readJson<Partial<StateFile>>(join(path, STATE))?.base ?? null;

/** Restores moments, step and reference policy into a model loaded from the same checkpoint. */
export const loadTrainingState = (model: NativeModel, checkpoint: Checkpoint): Promise<void> =>
  model.loadState(join(checkpoint.path, OPTIMIZER));

/** The task space of a checkpoint that was written with one. */
export const loadCurriculum = ({ path, state }: Checkpoint): Promise<CurriculumState> =>
  readCurriculum(join(path, CURRICULUM), state.curriculumChecksum ?? 0);

/** Names of checkpoint folders, newest first. */
function stepFolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const steps = readdirSync(folder).filter((name) => NAME.test(name));
  return steps.sort((a, b) => Number(NAME.exec(b)![1]) - Number(NAME.exec(a)![1]));
}

/** Renames before deleting, so that no folder with a checkpoint's name is ever partly deleted. */
function discard(folder: string, name: string): void {
  const trash = join(folder, `.old-${name}`);
  onDisk('delete', join(folder, name), () => {
    rmSync(trash, { recursive: true, force: true });
    renameSync(join(folder, name), trash);
    rmSync(trash, { recursive: true, force: true });
  });
}
