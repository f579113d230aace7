// Saving where nothing can be saved, and training state that is cut short: what was there before stays usable.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NativeModel } from '../../lib/native/addon.ts';
import { addon } from '../support/addon.ts';
import { pack, supervised } from '../support/batch.ts';
import { countBadInputs, HEALTHY, heartbeat, readParts, refused } from '../support/broken.ts';
import { assertSameBits } from '../support/compare.ts';
import { withModel, withTemporary } from '../support/golden.ts';
import { NLL, STAND_STILL, TRAIN } from '../support/settings.ts';
import { writeRawSafetensors } from '../support/safetensors.ts';

countBadInputs('saving and state');

const IO = /^ERR_IO$/;

async function step(model: NativeModel): Promise<void> {
  const { tokens, offsets } = pack([[1, 2, 3, 4, 5, 6]]);
  await model.accumulate(supervised(tokens, offsets, [0, 1, 1, 1, 1, 1]), NLL, TRAIN);
  await model.update({ ...STAND_STILL, lr: 1e-2 });
}

test('saving where nothing can be saved', () =>
  withModel(HEALTHY, (model) =>
    withTemporary(async (directory) => {
      const alive = await heartbeat(model);
      const file = path.join(directory, 'a-file');
      writeFileSync(file, 'in the way');
      const places: [string, string][] = [
        ['a folder that does not exist', path.join(directory, 'nowhere', 'model.safetensors')],
        ['a file in place of the folder', path.join(file, 'model.safetensors')],
        ['a folder in place of the file', directory],
      ];
      // Nobody can create files there, not even root.
      if (existsSync('/proc/self')) places.push(['a folder that takes no files', '/proc/exit-rl.safetensors']);
      for (const [what, place] of places) {
        for (const save of ['saveWeights', 'saveState'] as const) {
          const named = new RegExp(path.basename(place).replaceAll('.', '\\.'));
          await refused(`${save}: ${what}`, () => model[save](place), named, IO);
          await alive();
        }
      }
      assert.deepEqual(readdirSync(directory), ['a-file'], 'no temporary files are left');
    }),
  ));

test('saving as what there is not', () =>
  withModel(HEALTHY, (model) =>
    withTemporary(async (directory) => {
      const file = path.join(directory, 'model.safetensors');
      const save = (options: object) => () => model.saveWeights(file, options);
      await refused('a type nobody knows', save({ dtype: 'int8' }), /dtype must be source, master, float32/);
      await refused('a type that is a number', save({ dtype: 16 }), /dtype must be .* it is 16/);
      await refused('shards of nothing', save({ maxShardBytes: 0 }), /maxShardBytes must be an integer from 1/);
      await refused(
        'options that are text',
        () => model.saveWeights(file, 'float32' as never),
        /options must be an object/,
      );
      await refused('configAs', () => model.configAs('int8' as never), /dtype must be source, master, float32/);
      const name = model.parameters[0]!.name;
      model.write(name, 'policy', model.read(name, 'policy').fill(1e6));
      await refused(
        'too large for F16',
        save({ dtype: 'float16' }),
        /"model\.embed_tokens\.weight" has a number that F16 cannot hold/,
      );
      assert.deepEqual(readdirSync(directory), [], 'nothing is written');
    }),
  ));

test('a read-only folder', { skip: process.getuid?.() === 0 && 'root may write anywhere' }, () =>
  withModel(HEALTHY, (model) =>
    withTemporary(async (directory) => {
      const locked = path.join(directory, 'locked');
      mkdirSync(locked);
      await model.saveWeights(path.join(locked, 'model.safetensors'));
      const before = readFileSync(path.join(locked, 'model.safetensors'));
      chmodSync(locked, 0o555);
      try {
        await step(model);
        await refused('read-only', () => model.saveWeights(path.join(locked, 'model.safetensors')), /locked/, IO);
        assert.deepEqual(readFileSync(path.join(locked, 'model.safetensors')), before);
      } finally {
        chmodSync(locked, 0o755);
      }
    }),
  ),
);

test('a full disk leaves the previous checkpoint as it was', { skip: process.platform === 'win32' }, () =>
  withTemporary(async (directory) => {
    const target = path.join(directory, 'model.safetensors');
    copyFileSync(path.join(HEALTHY, 'model.safetensors'), target);
    const before = readFileSync(target);
    // A limit on the size of files is the full disk that needs no root: writing fails half way.
    const child = fileURLToPath(new URL('../support/save-child.js', import.meta.url));
    const command = `ulimit -f 40; exec "${process.execPath}" "${child}" "${HEALTHY}" "${target}"`;
    const result = spawnSync('bash', ['-c', command], { encoding: 'utf8' });
    assert.match(result.stdout, /^ERR_IO .*model\.safetensors/m, result.stdout + result.stderr);
    assert.equal(result.status, 0);
    assert.deepEqual(readFileSync(target), before);
    assert.deepEqual(readdirSync(directory), ['model.safetensors'], 'no temporary file is left');
  }),
);

test('training state that is cut short or not ours', () =>
  withModel(HEALTHY, (model) =>
    withTemporary(async (directory) => {
      await step(model);
      await model.updateReference(1);
      const good = path.join(directory, 'state.safetensors');
      await model.saveState(good);
      await step(model);
      const name = model.parameters[0]!.name;
      const moments = model.read(name, 'exp_avg');
      const alive = await heartbeat(model);

      const bytes = readFileSync(good);
      const bad = path.join(directory, 'cut.safetensors');
      const lengths = [
        0,
        4,
        8,
        50,
        1000,
        ...Array.from({ length: 15 }, (_, i) => Math.floor((bytes.length * (i + 1)) / 16)),
        bytes.length - 1,
      ];
      for (const length of lengths) {
        writeFileSync(bad, bytes.subarray(0, length));
        await refused(
          `${length} of ${bytes.length} bytes`,
          () => model.loadState(bad),
          /cut\.safetensors/,
          /^ERR_INVALID_FILE$/,
        );
      }
      copyFileSync(path.join(HEALTHY, 'model.safetensors'), bad);
      await refused('weights in place of state', () => model.loadState(bad), /cut\.safetensors/, /^ERR_INVALID_FILE$/);
      await refused(
        'no file',
        () => model.loadState(path.join(directory, 'nowhere')),
        /nowhere/,
        /^(ERR_IO|ERR_INVALID_FILE)$/,
      );

      await alive();
      assertSameBits('moments after refused loads', model.read(name, 'exp_avg'), moments);
      assert.equal(model.step, 2);
      await model.loadState(good);
      assert.equal(model.step, 1);
    }),
  ));

test('weights cut at any length', () =>
  withTemporary(async (directory) => {
    const { file } = readParts(HEALTHY);
    copyFileSync(path.join(HEALTHY, 'config.json'), path.join(directory, 'config.json'));
    for (let i = 0; i < 40; i++) {
      const length = Math.floor((file.length * i) / 40);
      writeFileSync(path.join(directory, 'model.safetensors'), file.subarray(0, length));
      await refused(`${length} bytes`, () => addon.loadModel(directory), /model\.safetensors/, /^ERR_INVALID_FILE$/);
    }
    writeFileSync(path.join(directory, 'model.safetensors'), file);
    (await addon.loadModel(directory)).close();
  }));

test('readSafetensors checks as the loader does', () =>
  withTemporary(async (directory) => {
    const file = path.join(directory, 'x.safetensors');
    const header = JSON.stringify({ x: { dtype: 'F32', shape: [4], data_offsets: [0, 32] } });
    writeRawSafetensors(file, header, Buffer.alloc(16));
    await refused(
      'a range outside the file',
      () => addon.readSafetensors(file),
      /x\.safetensors/,
      /^ERR_INVALID_FILE$/,
    );
    await refused(
      'no file',
      () => addon.readSafetensors(path.join(directory, 'y')),
      /y/,
      /^(ERR_IO|ERR_INVALID_FILE)$/,
    );
  }));
