// Several AdamW steps with warm-up, decay groups, clipping and accumulation over micro-batches.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NativeModel, OptimizerSettings } from '../../lib/native/addon.ts';
import { pack, packedTokens, supervised } from '../support/batch.ts';
import type { Tolerance } from '../support/compare.ts';
import { checkpointPath, folder, type GoldenCase, tolerance, withModel } from '../support/golden.ts';
import type { TensorFile } from '../support/safetensors.ts';
import { NLL } from '../support/settings.ts';

interface OptimCase extends GoldenCase {
  readonly micro_batches: number;
  readonly same_batch_every_step: boolean;
  readonly decayed: readonly string[];
  readonly loss_of_first_micro_batch_after_last_step: number;
}

interface Optimizer {
  readonly optimizer: {
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weight_decay: number;
    readonly max_grad_norm: number;
    readonly steps: number;
  };
}

const { manifest, cases, tally, file } = folder<OptimCase, Optimizer>('optim');

interface Step {
  readonly batch: ReturnType<typeof supervised>;
  /** Splits the batch where the reference run did: every micro-batch fits, no two do. */
  readonly microBatchTokens: number;
}

/** The loss of a step is a mean over all its micro-batches, so they go into one batch. */
function step(expected: TensorFile, prefixes: readonly string[]): Step {
  const sequences: Int32Array[] = [];
  const masks: Int32Array[] = [];
  let largest = 0;
  for (const prefix of prefixes) {
    const { tokens, offsets } = packedTokens(expected, prefix);
    const mask = expected.ints(`${prefix}loss_mask`);
    largest = Math.max(largest, tokens.length);
    for (let i = 0; i + 1 < offsets.length; i++) {
      sequences.push(tokens.subarray(offsets[i], offsets[i + 1]));
      masks.push(mask.subarray(offsets[i], offsets[i + 1]));
    }
  }
  const { tokens, offsets } = pack(sequences);
  return { batch: supervised(tokens, offsets, pack(masks).tokens), microBatchTokens: largest };
}

/** Which of the engine's decay rules means exactly the tensors that the manifest lists. */
function decayRule(model: NativeModel, decayed: readonly string[]): OptimizerSettings['decay'] {
  const matrices = model.parameters.filter((p) => p.shape.length === 2).map((p) => p.name);
  const sorted = (names: readonly string[]): string => [...names].sort().join();
  const rules = {
    matrices,
    matrices_without_embeddings: matrices.filter((n) => n !== 'model.embed_tokens.weight'),
    none: [],
  } as const;
  for (const [rule, names] of Object.entries(rules)) {
    if (sorted(names) === sorted(decayed)) return rule as keyof typeof rules;
  }
  throw new Error(`no decay rule for ${decayed.join(', ')}`);
}

/** atol holds for every entry, atol_for_99.9_percent for all but one in a thousand. */
function checkParameters(name: string, model: NativeModel, expected: TensorFile, allowed: Tolerance): void {
  const narrow = (allowed as Record<string, number>)['atol_for_99.9_percent'];
  let outside = 0;
  let entries = 0;
  for (const parameter of expected.under('param.')) {
    const [actual, wanted] = [model.read(parameter, 'policy'), expected.numbers(`param.${parameter}`)];
    tally.close(`${name} ${parameter}`, actual, wanted, allowed);
    entries += wanted.length;
    if (narrow !== undefined)
      wanted.forEach((x, i) => {
        if (Math.abs(actual[i]! - x) > narrow) outside++;
      });
  }
  assert.ok(outside <= entries / 1000, `${outside} of ${entries} parameters are off by more than ${narrow}`);
}

for (const [name, wanted] of cases) {
  test(`optim ${name}`, async () => {
    const expected = file(name);
    const { betas, eps, weight_decay, max_grad_norm } = manifest.optimizer;
    const [lr, loss, norm] = [expected.numbers('lr'), expected.numbers('loss'), expected.numbers('grad_norm')];
    await withModel(checkpointPath(wanted.checkpoint), async (model) => {
      const decay = decayRule(model, wanted.decayed);
      const losses: number[] = [];
      const norms: number[] = [];
      for (let i = 0; i < lr.length; i++) {
        const source = wanted.same_batch_every_step ? 0 : i;
        const prefixes = Array.from({ length: wanted.micro_batches }, (_, j) => `step${source}.micro${j}.`);
        const { batch, microBatchTokens } = step(expected, prefixes);
        const metrics = await model.accumulate(batch, NLL, { microBatchTokens, recompute: 'none' });
        const update = await model.update({
          lr: lr[i]!,
          beta1: betas[0],
          beta2: betas[1],
          eps,
          weightDecay: weight_decay,
          decay,
          maxGradNorm: max_grad_norm,
        });
        losses.push(metrics.loss);
        norms.push(update.gradNorm);
        assert.equal(update.step, i + 1);
        const factor = max_grad_norm / (update.gradNorm + 1e-6);
        assert.ok(Math.abs(update.clipFactor - Math.min(1, factor)) < 1e-9, `clip factor ${update.clipFactor}`);
      }
      tally.close(`${name} loss`, losses, loss, tolerance(wanted.tolerances, 'loss'));
      tally.close(`${name} grad_norm`, norms, norm, tolerance(wanted.tolerances, 'grad_norm'));
      checkParameters(name, model, expected, tolerance(wanted.tolerances, 'param'));
      for (const set of ['exp_avg', 'exp_avg_sq'] as const) {
        for (const parameter of expected.under(`${set}.`)) {
          const moments = expected.numbers(`${set}.${parameter}`);
          tally.close(
            `${name} ${set}.${parameter}`,
            model.read(parameter, set),
            moments,
            tolerance(wanted.tolerances, set),
          );
        }
      }
      const { batch, microBatchTokens } = step(expected, ['step0.micro0.']);
      const after = await model.accumulate(batch, NLL, { microBatchTokens, recompute: 'none' });
      const allowed = tolerance(wanted.tolerances, 'loss_after');
      tally.close(`${name} loss after`, [after.loss], [wanted.loss_of_first_micro_batch_after_last_step], allowed);
    });
    tally.cases++;
  });
}
