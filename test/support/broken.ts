// Bad input: folders with one thing wrong, and the check that the addon says so and lives on.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { addon } from './addon.ts';
import { describePacked, pack } from './batch.ts';
import { assertSameBits } from './compare.ts';
import { checkpointPath, withTemporary } from './golden.ts';
import { FAMILIES } from './rollouts.ts';

/** A healthy checkpoint in one file, to be broken. */
export const HEALTHY: string = checkpointPath(FAMILIES[0] ?? 'llama');
export const WEIGHTS = 'model.safetensors';

const CODES = /^(ERR_INVALID_ARGUMENT|ERR_INVALID_FILE|ERR_OUT_OF_MEMORY|ERR_IO|ABORT_ERR)$/;

let tried = 0;
/** Prints how many bad inputs a file of tests has tried. */
export function countBadInputs(kind: string): void {
  after(() => console.log(`bad input (${kind}): ${tried} tried`));
}

/** The action fails with an Error that has a code and says what and where. Works for throwing and for rejecting. */
export async function refused(
  what: string,
  action: () => unknown,
  message: RegExp,
  code: RegExp = CODES,
): Promise<void> {
  tried++;
  let error: unknown;
  try {
    await action();
  } catch (caught) {
    error = caught;
  }
  assert.ok(error !== undefined, `${what}: accepted, but an error was expected`);
  assert.ok(error instanceof Error, `${what}: not an Error: ${String(error)}`);
  const found = String((error as Error & { code?: unknown }).code);
  assert.match(found, code, `${what}: code ${found} (${error.message})`);
  assert.match(error.message, message, `${what}: the message does not say what and where: ${error.message}`);
}

/** A probe of the model's health; the function it returns asserts that the same pass still gives the same bits. */
export async function heartbeat(model: NativeModel): Promise<() => Promise<void>> {
  const batch = describePacked(
    pack([
      [1, 2, 3, 4, 5],
      [6, 7],
    ]),
  );
  const beat = () => model.score(batch, { temperature: 1, weights: 'policy', microBatchTokens: 64 });
  const { logprob } = await beat();
  return async () => assertSameBits('the model after a bad input', (await beat()).logprob, logprob);
}

/** A copy of the healthy folder that `spoil` has changed must not load; the healthy one still does. */
export async function refusedFolder(what: string, spoil: (directory: string) => void, message: RegExp): Promise<void> {
  await withTemporary(async (directory) => {
    cpSync(HEALTHY, directory, { recursive: true });
    spoil(directory);
    const load = async (): Promise<void> => (await addon.loadModel(directory)).close();
    await refused(what, load, message, /^(ERR_INVALID_FILE|ERR_IO|ERR_OUT_OF_MEMORY)$/);
  });
  (await addon.loadModel(HEALTHY)).close();
}

export interface Entry {
  dtype: unknown;
  shape: unknown;
  data_offsets: unknown;
}

export interface Parts {
  /** The whole file. */
  readonly file: Buffer;
  readonly header: Record<string, Entry>;
  readonly payload: Buffer;
}

export function readParts(directory: string, name = WEIGHTS): Parts {
  const file = readFileSync(path.join(directory, name));
  const end = 8 + Number(file.readBigUInt64LE(0));
  return { file, header: JSON.parse(file.toString('utf8', 8, end)), payload: file.subarray(end) };
}

export function editJson(file: string, edit: (json: Record<string, unknown>) => void): void {
  const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  edit(json);
  writeFileSync(file, JSON.stringify(json));
}
