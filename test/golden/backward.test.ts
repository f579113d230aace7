// Gradients of every parameter for a masked mean cross-entropy, from packed and from (unpadded) padded batches.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packedTokens, supervised, unpad } from '../support/batch.ts';
import { checkpointPath, folder, type GoldenCase, tolerance, withModel } from '../support/golden.ts';
import { checkGradients, type ParameterTolerances } from '../support/gradients.ts';
import type { TensorFile } from '../support/safetensors.ts';
import { NLL, STAND_STILL, TRAIN } from '../support/settings.ts';

interface BackwardCase extends GoldenCase {
  readonly targets: number;
  readonly parameters: ParameterTolerances;
}

const { cases, tally, file } = folder<BackwardCase>('backward');

function batches(expected: TensorFile): Record<string, ReturnType<typeof supervised>> {
  const { tokens, offsets } = packedTokens(expected, 'packed.');
  const out = { packed: supervised(tokens, offsets, expected.ints('packed.loss_mask')) };
  if (!expected.has('padded.input_ids')) return out;
  const ids = unpad(expected, 'padded.input_ids', 'padded.attention_mask');
  const mask = unpad(expected, 'padded.loss_mask', 'padded.attention_mask');
  return { ...out, padded: supervised(ids.values, ids.offsets, mask.values) };
}

for (const [name, wanted] of cases) {
  const expected = file(name);
  for (const [kind, batch] of Object.entries(batches(expected))) {
    test(`backward ${name} (${kind})`, async () => {
      await withModel(checkpointPath(wanted.checkpoint), async (model) => {
        const what = `${name} (${kind})`;
        const metrics = await model.accumulate(batch, NLL, TRAIN);
        assert.equal(metrics.tokens, wanted.targets);
        tally.close(`${what} loss`, [metrics.loss], expected.numbers('loss'), tolerance(wanted.tolerances, 'loss'));
        checkGradients(tally, what, model, expected, wanted.parameters);
        const { gradNorm } = await model.update(STAND_STILL);
        const allowed = tolerance(wanted.tolerances, 'grad_norm');
        tally.close(`${what} grad_norm`, [gradNorm], expected.numbers('grad_norm'), allowed);
      });
      tally.cases++;
    });
  }
}
