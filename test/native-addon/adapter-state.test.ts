// What an adapter leaves behind where its state is replaced, or where there is no room for it. device.test.ts runs it on a device, too.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { addon } from '../../lib/native/load.ts';
import type { NativeModel } from '../../lib/native/addon.ts';
import { adapt, adapterJson } from '../support/adapter.ts';
import { prompts } from '../support/batch.ts';
import { DEVICE, withTemporary } from '../support/golden.ts';

const CONFIG = JSON.stringify({
  ...{ model_type: 'qwen3', vocab_size: 40, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2 },
  ...{ num_key_value_heads: 1, head_dim: 8, intermediate_size: 24, max_position_embeddings: 64, hidden_act: 'silu' },
  ...{ tie_word_embeddings: false, initializer_range: 0.3 },
});
const BATCH = prompts([[1, 2, 3, 4, 5, 6]]);

async function withModel(use: (model: NativeModel) => Promise<void>): Promise<void> {
  const model = await addon.createModel(CONFIG, 1, { dtype: 'float32', device: DEVICE });
  try {
    await use(model);
  } finally {
    model.close();
  }
}

const score = async (model: NativeModel, weights: 'policy' | 'reference'): Promise<number[]> => [
  ...(await model.score(BATCH, { temperature: 1, weights, microBatchTokens: 100 })).logprob,
];

test('after loading a state without a reference, the reference is the model without its adapter again', () =>
  withTemporary((folder) =>
    withModel(async (model) => {
      const file = path.join(folder, 'state.safetensors');
      await adapt(model, { r: 2 });
      await model.saveState(file);
      const bare = await score(model, 'reference');
      await model.updateReference(1);
      assert.notDeepEqual(await score(model, 'reference'), bare);
      await model.loadState(file);
      assert.deepEqual(await score(model, 'reference'), bare);
    }),
  ));

const limited = process.env['EXIT_RL_EMULATED_MEMORY'] === undefined ? 'for a device of 3 MB (device.test.ts)' : false;

test('an adapter that finds no room leaves the model as it was', { skip: limited }, () =>
  withModel(async (model) => {
    await model.updateReference(1);
    const before = await score(model, 'policy');
    await assert.rejects(() => model.createAdapter(adapterJson({ r: 4000 }), 1), /no .* bytes left/);
    assert.deepEqual([model.adapter, model.hasReference], [null, true]);
    assert.deepEqual(await score(model, 'policy'), before);
    await model.createAdapter(adapterJson({ r: 2 }), 1);
  }),
);
