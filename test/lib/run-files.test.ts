import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import type { NativeModel } from '../../lib/native/addon.ts';
import {
  type CheckpointSettings,
  latestCheckpoint,
  saveCheckpoint,
  type SavedState,
  stepName,
  tidyCheckpoints,
} from '../../lib/runs/checkpoint.ts';
import { writeAtomically } from '../../lib/runs/files.ts';
import { Journal } from '../../lib/runs/journal.ts';
import { lockRun } from '../../lib/runs/lock.ts';
import { inTemporaryFolder } from '../support/cli.ts';

/** Only what a checkpoint asks of a model. */
const model = (broken = false): NativeModel =>
  ({
    adapter: null,
    configAs: () => '{}',
    saveWeights: async (path: string) => {
      writeFileSync(path, 'weights');
      return [basename(path)];
    },
    saveState: async (path: string) => {
      if (broken) throw new UserError(`cannot write ${path}: the disk is full`);
      writeFileSync(path, 'moments');
    },
  }) as unknown as NativeModel;

const settings = (keep: number): CheckpointSettings => ({ keep, maxShardBytes: 1e9, companions: [], sampling: {} });

const state = (step: number): SavedState => ({ step, metricsBytes: 1, timingsBytes: 2, failures: [] });

test('checkpoints: the newest complete one counts, old ones go', () =>
  inTemporaryFolder(async (folder) => {
    for (const step of [1, 2, 3]) await saveCheckpoint(folder, model(), null, state(step), settings(2));
    assert.equal(existsSync(join(folder, stepName(1))), false);
    assert.equal(latestCheckpoint(folder)?.state.step, 3);
    truncateSync(join(folder, stepName(3), 'model.safetensors'), 3);
    const warnings: string[] = [];
    assert.equal(latestCheckpoint(folder, (message) => warnings.push(message))?.state.step, 2);
    assert.match(warnings[0]!, /step-000003: model\.safetensors has 3 bytes instead of 7/);
    writeFileSync(join(folder, stepName(2), 'state.json'), '{"step": 2');
    assert.equal(latestCheckpoint(folder), null);
  }));

test('a checkpoint that fails leaves the one before it', () =>
  inTemporaryFolder(async (folder) => {
    await saveCheckpoint(folder, model(), null, state(1), settings(1));
    await assert.rejects(saveCheckpoint(folder, model(true), null, state(2), settings(1)), /the disk is full/);
    assert.equal(latestCheckpoint(folder)?.state.step, 1);
    mkdirSync(join(folder, '.partial-step-000009'));
    tidyCheckpoints(folder, 1);
    assert.equal(existsSync(join(folder, '.partial-step-000009')), false);
  }));

test('a journal is cut back to the length a checkpoint remembers', () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'metrics.jsonl');
    const first = new Journal(path, 0);
    first.append({ step: 1 });
    const kept = first.bytes;
    first.append({ step: 2 });
    first.close();
    const second = new Journal(path, kept);
    second.append({ step: 3 });
    second.close();
    assert.equal(readFileSync(path, 'utf8'), '{"step":1}\n{"step":3}\n');
    assert.throws(() => new Journal(path, 1000), /shorter .* than its checkpoint says/);
  }));

test('one process per run; the lock of a dead one is taken over', () =>
  inTemporaryFolder((folder) => {
    const unlock = lockRun(folder);
    assert.throws(() => lockRun(folder), new RegExp(`in use by process ${process.pid} `));
    unlock();
    const path = join(folder, 'run.lock');
    const holder = { ...JSON.parse(lockContent(folder)), pid: 2 ** 22 + 1 };
    writeFileSync(path, JSON.stringify(holder));
    lockRun(folder)();
    writeFileSync(path, '{"pid":'); // killed while writing it
    lockRun(folder)();
    writeFileSync(path, JSON.stringify({ ...holder, pid: process.pid, started: '1' })); // the number was given again
    lockRun(folder)();
    assert.equal(existsSync(path), false);
  }));

function lockContent(folder: string): string {
  const unlock = lockRun(folder);
  const text = readFileSync(join(folder, 'run.lock'), 'utf8');
  unlock();
  return text;
}

test('writing into a missing folder names the path and leaves nothing behind', () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'missing', 'file.json');
    assert.throws(() => writeAtomically(path, '{}'), /cannot write .*missing.file\.json/);
    writeAtomically(join(folder, 'file.json'), '{}');
    assert.equal(existsSync(join(folder, 'file.json.tmp')), false);
  }));

test('a full disk is called that', { skip: !existsSync('/dev/full') }, () => {
  assert.throws(
    () => new Journal('/dev/full', 0).append({ step: 1 }),
    (error: Error) => error instanceof UserError && /cannot write \/dev\/full: the disk is full/.test(error.message),
  );
});
