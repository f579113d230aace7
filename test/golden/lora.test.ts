// LoRA adapters as the peft package computes them: logits, loss, gradients, merged weights.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { packedTokens, supervised } from '../support/batch.ts';
import { checkpointPath, folder, GOLDEN, type GoldenCase, tolerance, withModel } from '../support/golden.ts';
import { NLL, STAND_STILL, TRAIN } from '../support/settings.ts';

interface LoraCase extends GoldenCase {
  readonly trainable_parameters: number;
}

const { cases, tally, file } = folder<LoraCase>('lora');
/** What the merged weights may be off: nothing but the rounding of the last step. */
const MERGED = { atol: 1e-7 };

for (const [name, wanted] of cases) {
  const directory = path.join(GOLDEN, 'lora', name);
  const expected = file(`${name}/expected`);
  const { tokens, offsets } = packedTokens(expected, '');
  const adapted = (use: (model: NativeModel) => Promise<void>): Promise<void> =>
    withModel(checkpointPath(wanted.checkpoint), async (model) => {
      await model.loadAdapter(directory);
      await use(model);
      tally.cases++;
    });
  const logitsAre = async (what: string, model: NativeModel): Promise<void> => {
    const { logits } = await model.forward(tokens, offsets);
    tally.close(`${name} ${what}`, logits, expected.numbers('logits'), tolerance(wanted.tolerances, 'logits'));
  };

  test(`lora ${name}: logits, loss and gradients`, () =>
    adapted(async (model) => {
      await logitsAre('logits', model);
      assert.equal(model.adapter!.parameterCount, wanted.trainable_parameters);
      const names = model.adapter!.parameters.map((parameter) => parameter.name);
      assert.deepEqual(names.sort(), expected.under('grad.').sort(), 'trained parameters');
      const batch = supervised(tokens, offsets, expected.ints('loss_mask'));
      const { loss } = await model.accumulate(batch, NLL, TRAIN);
      tally.close(`${name} loss`, [loss], expected.numbers('loss'), tolerance(wanted.tolerances, 'loss'));
      for (const key of names.map((parameter) => `grad.${parameter}`)) {
        const gradient = model.read(key.slice('grad.'.length), 'gradient');
        tally.close(`${name} ${key}`, gradient, expected.numbers(key), tolerance(wanted.tolerances, key));
      }
      const { gradNorm } = await model.update(STAND_STILL);
      const allowed = tolerance(wanted.tolerances, 'grad_norm');
      tally.close(`${name} grad_norm`, [gradNorm], expected.numbers('grad_norm'), allowed);
    }));

  test(`lora ${name}: merged into the weights`, () =>
    adapted(async (model) => {
      const before = new Map(model.parameters.map((p) => [p.name, model.read(p.name, 'policy')]));
      await model.mergeAdapter();
      assert.equal(model.adapter, null);
      for (const weight of expected.under('merged.')) {
        tally.close(
          `${name} merged.${weight}`,
          model.read(weight, 'policy'),
          expected.numbers(`merged.${weight}`),
          MERGED,
        );
      }
      for (const { name: weight } of model.parameters) {
        if (!/[qv]_proj\.weight$/.test(weight))
          assert.deepEqual(model.read(weight, 'policy'), before.get(weight), weight);
      }
      await logitsAre('logits of merged weights', model);
    }));
}
