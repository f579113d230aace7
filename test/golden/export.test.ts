// Import, export, import: every tensor of every checkpoint comes back with the same bytes, and the files beside the weights
// travel as they are.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { exportModel } from '../../lib/huggingface/export.ts';
import { addon } from '../support/addon.ts';
import { CONFIG_SPELLINGS, checkpointPath, folder, withSpellingFolder, withTemporary } from '../support/golden.ts';
import { type Tensor, TensorFile } from '../support/safetensors.ts';

const { cases, tally } = folder<object>('checkpoints', { title: 'golden/checkpoints exported' });
const LARGE = { dtype: 'source', maxShardBytes: 5e9 } as const;

/** All tensors of a folder by a second reader, sharded or not. */
function tensorsOf(directory: string): Map<string, Tensor> {
  const files = readdirSync(directory).filter((name) => name.endsWith('.safetensors'));
  return new Map(files.flatMap((name) => [...new TensorFile(path.join(directory, name)).tensors]));
}

function assertSameTensors(actual: string, expected: string): void {
  const [found, wanted] = [tensorsOf(actual), tensorsOf(expected)];
  assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort());
  for (const [name, tensor] of wanted) {
    assert.deepEqual([name, found.get(name)!.dtype, found.get(name)!.shape], [name, tensor.dtype, tensor.shape]);
    assert.ok(bytes(found.get(name)!).equals(bytes(tensor)), `${name}: the same bytes`);
  }
}

const bytes = ({ data }: Tensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const json = (...parts: string[]): Record<string, unknown> => JSON.parse(readFileSync(path.join(...parts), 'utf8'));

for (const [name] of cases) {
  for (const spelling of CONFIG_SPELLINGS) {
    test(`export ${name} from ${spelling}`, () =>
      withSpellingFolder(name, spelling, (from) =>
        withTemporary(async (directory) => {
          const out = path.join(directory, 'out');
          await exportModel(addon, from, out, LARGE);
          assertSameTensors(out, from);
          for (const file of readdirSync(from).filter((f) => /token|template|generation/.test(f))) {
            assert.ok(readFileSync(path.join(out, file)).equals(readFileSync(path.join(from, file))), file);
          }
          const config = json(out, 'config.json');
          for (const [key, value] of Object.entries(json(from, 'config.json')))
            assert.deepEqual([key, config[key]], [key, value]);
          const [newer, older] = CONFIG_SPELLINGS.map((file) => json(checkpointPath(name), file));
          for (const key of ['rope_parameters', 'dtype']) assert.deepEqual(config[key], newer![key], key);
          for (const key of ['rope_theta', 'rope_scaling', 'torch_dtype'])
            assert.deepEqual(config[key], older![key], key);
          const metadata = readFileSync(path.join(out, 'model.safetensors'), 'latin1').slice(8, 100);
          assert.match(metadata, /^\{"__metadata__":\{"format":"pt"\}/);
          tally.cases++;
        }),
      ));
  }

  for (const dtype of ['float16', 'bfloat16', 'float32'] as const) {
    test(`export ${name} as ${dtype}, in shards`, () =>
      withTemporary(async (directory) => {
        const [first, second] = [path.join(directory, 'first'), path.join(directory, 'second')];
        await exportModel(addon, checkpointPath(name), first, { dtype, maxShardBytes: 60_000 });
        assert.ok(existsSync(path.join(first, 'model.safetensors.index.json')));
        const found = [...tensorsOf(first).values()].map((tensor) => tensor.dtype);
        const word = { float16: 'F16', bfloat16: 'BF16', float32: 'F32' }[dtype];
        assert.deepEqual([...new Set(found)], [word]);
        assert.deepEqual(
          [json(first, 'config.json')['dtype'], json(first, 'config.json')['torch_dtype']],
          [dtype, dtype],
        );
        await exportModel(addon, first, second, LARGE);
        assertSameTensors(second, first);
        tally.cases++;
      }));
  }
}

test('an export that fails leaves nothing, and one never replaces anything', () =>
  withTemporary(async (directory) => {
    const from = checkpointPath(cases[0]![0]);
    const out = path.join(directory, 'out');
    await exportModel(addon, from, out, LARGE);
    const before = readdirSync(out);
    await assert.rejects(exportModel(addon, from, out, LARGE), /out is there already and not empty/);
    assert.deepEqual(readdirSync(out), before);
    const model = await addon.loadModel(from);
    model.write(
      model.parameters[0]!.name,
      'policy',
      new Float32Array(model.read(model.parameters[0]!.name, 'policy').length).fill(1e6),
    );
    const broken = { loadModel: async () => model };
    const other = path.join(directory, 'other');
    await assert.rejects(exportModel(broken, from, other, { ...LARGE, dtype: 'float16' }), /F16 cannot hold/);
    assert.deepEqual(readdirSync(directory), ['out']);
  }));
