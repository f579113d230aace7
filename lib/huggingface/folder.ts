// A model as a Hugging Face folder: weights, config.json, generation_config.json, tokenizer and chat template.
import { join } from 'node:path';
import type { NativeModel, SaveAs } from '../native/addon.ts';
import { CONFIG, WEIGHTS, writeAtomically } from '../runs/files.ts';
import { type Companion, GENERATION_CONFIG, writeCompanions } from './companions.ts';
import { generationConfigFor } from './generation-config.ts';

/** A decimal gigabyte is what other tools count in; this is their usual limit. */
export const SHARD_BYTES = 5_000_000_000;

export interface FolderSettings {
  readonly dtype: SaveAs;
  /** Larger weights are written as shards with an index. */
  readonly maxShardBytes: number;
  /** Files of the folder the model came from. */
  readonly companions: readonly Companion[];
  /** Keys of a generation_config.json for a model that came without one. */
  readonly sampling: Readonly<Record<string, unknown>>;
}

/** Writes a model into an existing folder and returns the names of the files. Not atomic as a whole: rename the folder. */
export async function writeModelFolder(
  folder: string,
  model: NativeModel,
  { dtype, maxShardBytes, companions, sampling }: FolderSettings,
): Promise<string[]> {
  const weights = await model.saveWeights(join(folder, WEIGHTS), { dtype, maxShardBytes });
  const config = model.configAs(dtype);
  writeAtomically(join(folder, CONFIG), config);
  writeCompanions(folder, companions);
  const names = companions.map(({ name }) => name);
  if (!names.includes(GENERATION_CONFIG)) {
    writeAtomically(join(folder, GENERATION_CONFIG), generationConfigFor(config, sampling));
    names.push(GENERATION_CONFIG);
  }
  return [...weights, CONFIG, ...names];
}
