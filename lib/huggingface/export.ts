// A model out of a run or a folder into a folder of its own, complete or not at all.
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../errors.ts';
import { openFolder, weightsFolder } from '../model.ts';
import type { Addon, SaveAs } from '../native/addon.ts';
import { makeFolder, onDisk, syncFolder } from '../runs/files.ts';
import { readCompanions } from './companions.ts';
import { writeModelFolder } from './folder.ts';

export interface Exported {
  readonly files: readonly string[];
  readonly parameterCount: number;
}

/** Exports the model in `from` to `to`, a folder that must not exist or be empty. An adapter is merged into its base, which may be in another folder than it names. */
export async function exportModel(
  addon: Pick<Addon, 'loadModel'>,
  from: string,
  to: string,
  settings: { readonly dtype: SaveAs; readonly maxShardBytes: number; readonly base?: string | null },
): Promise<Exported> {
  const out = resolve(to);
  if (existsSync(out) && onDisk('read the folder', out, () => readdirSync(out)).length > 0) {
    throw new UsageError(`${to} is there already and not empty; choose another folder`);
  }
  const companions = readCompanions(weightsFolder(from, settings.base));
  const model = await openFolder(addon, from, { base: settings.base ?? null });
  const partial = `${out}.partial-${process.pid}`;
  try {
    if (model.adapter !== null) await model.mergeAdapter();
    makeFolder(partial);
    const files = await writeModelFolder(partial, model, { ...settings, companions, sampling: {} });
    syncFolder(partial);
    onDisk('write', out, () => renameSync(partial, out));
    syncFolder(dirname(out));
    return { files, parameterCount: model.parameterCount };
  } finally {
    rmSync(partial, { recursive: true, force: true });
    model.close();
  }
}
