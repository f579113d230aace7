// Every checkpoint loads with both spellings of its config; shards make the same model as one file.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { assertSameBits } from '../support/compare.ts';
import { CONFIG_SPELLINGS, checkpointPath, folder, withModel, withSpelling } from '../support/golden.ts';
import { TensorFile } from '../support/safetensors.ts';

interface CheckpointCase {
  readonly config?: { readonly num_hidden_layers: number };
  readonly parameters?: number;
  readonly same_weights_as?: string;
  readonly dtype: string;
}

const { cases, tally } = folder<CheckpointCase>('checkpoints');

/** The values a model must hold after loading, by a second reader; bfloat16 is the upper half of a float32. */
function stored(directory: string): Map<string, Float32Array> {
  const single = path.join(directory, 'model.safetensors');
  const out = new Map<string, Float32Array>();
  if (!existsSync(single)) return out;
  for (const [name, { dtype, data }] of new TensorFile(single).tensors) {
    const bits = dtype === 'BF16' ? Uint32Array.from(data as Uint16Array, (half) => half << 16) : null;
    out.set(name, bits ? new Float32Array(bits.buffer) : (data as Float32Array));
  }
  return out;
}

function assertSameModel(actual: NativeModel, expected: NativeModel): void {
  assert.deepEqual(actual.parameters, expected.parameters);
  for (const { name } of expected.parameters) {
    assertSameBits(name, actual.read(name, 'policy'), expected.read(name, 'policy'));
  }
}

for (const [name, wanted] of cases) {
  for (const spelling of CONFIG_SPELLINGS) {
    test(`checkpoint ${name} loads with ${spelling}`, async () => {
      await withSpelling(name, spelling, async (model) => {
        if (wanted.parameters !== undefined) assert.equal(model.parameterCount, wanted.parameters);
        for (const [tensor, values] of stored(checkpointPath(name))) {
          assertSameBits(tensor, model.read(tensor, 'policy'), values);
        }
        assert.equal(typeof JSON.parse(model.config).model_type, 'string');
      });
      tally.cases++;
    });
  }
  const twin = wanted.same_weights_as;
  if (twin !== undefined && cases.some(([other]) => other === twin)) {
    test(`checkpoint ${name} equals ${twin}`, async () => {
      await withModel(checkpointPath(name), (model) =>
        withModel(checkpointPath(twin), async (other) => assertSameModel(model, other)),
      );
      tally.cases++;
    });
  }
}
