// What plan() promises is what a step of generation and training then holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addon } from '../support/addon.ts';
import { describePacked, prompts } from '../support/batch.ts';
import { GENERATE, NLL, STAND_STILL, TRAIN } from '../support/settings.ts';

const CONFIG = JSON.stringify({
  model_type: 'llama',
  hidden_size: 128,
  intermediate_size: 256,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 300,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: 'silu',
});

for (const recompute of ['none', 'block'] as const) {
  for (const reference of [false, true]) {
    const keepPrefixes = reference;
    test(`memory plan, recompute ${recompute}, ${reference ? 'with' : 'without'} a reference and kept prefixes`, async () => {
      const shape = {
        prompts: 6,
        samplesPerPrompt: 4,
        promptTokens: 40,
        newTokens: 50,
        maxRunning: 256,
        prefillTokens: 128,
      };
      const microBatchTokens = 1080; // half of the batch
      const before = addon.doctor().bufferBytes;
      const model = await addon.createModel(CONFIG, 1);
      const plan = model.plan({ ...shape, keepPrefixes, microBatchTokens, recompute, reference });
      assert.equal(
        plan.total,
        plan.segments.reduce((sum, { bytes }) => sum + bytes, 0),
      );

      const requests = prompts(
        Array.from({ length: shape.prompts }, (_, p) =>
          Array.from({ length: shape.promptTokens }, (_, i) => (p + i) % 300),
        ),
      );
      const { columns } = await model.generate(requests, {
        ...GENERATE,
        samplesPerPrompt: shape.samplesPerPrompt,
        maxNewTokens: shape.newTokens,
        maxRunning: shape.maxRunning,
        prefillTokens: shape.prefillTokens,
        keepPrefixes,
      });
      const find = (name: string) => columns.columns.find((column) => column.name === name)!;
      const tokens = new Int32Array(columns.buffer.slice(find('tokens').byteOffset), 0, find('tokens').length);
      const offsets = new Int32Array(columns.buffer.slice(columns.offsetsByteOffset), 0, columns.rows + 1);
      const loss_mask = Array.from(tokens, (_, t) => (t % 90 >= shape.promptTokens ? 1 : 0));
      const batch = describePacked({ tokens, offsets, loss_mask, advantage: new Float32Array(columns.rows).fill(1) });
      if (reference) await model.updateReference(1);
      if (reference) await model.score(batch, { temperature: 1, weights: 'reference', microBatchTokens });
      await model.accumulate(batch, NLL, { ...TRAIN, microBatchTokens, recompute });
      await model.update(STAND_STILL);

      const held = addon.doctor().bufferBytes - before;
      assert.ok(Math.abs(held / plan.total - 1) < 0.05, `planned ${plan.total} bytes, holding ${held}`);
      addon.release(columns.buffer);
      model.close();
    });
  }
}
