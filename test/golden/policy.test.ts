// Every policy-gradient loss: first the loss op alone on the reference's own log-probabilities, then end to end from
// token ids to parameter gradients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrainMetrics } from '../../lib/native/addon.ts';
import { addon } from '../support/addon.ts';
import { describePacked, packedTokens } from '../support/batch.ts';
import { checkpointPath, folder, type GoldenCase, tolerance, withModel } from '../support/golden.ts';
import { checkGradients, type ParameterTolerances } from '../support/gradients.ts';
import { lossSettings, type PolicySettings } from '../support/policy-settings.ts';
import type { TensorFile } from '../support/safetensors.ts';
import { STAND_STILL, TRAIN } from '../support/settings.ts';

interface PolicyCase extends Omit<GoldenCase, 'checkpoint'> {
  readonly settings: PolicySettings;
  readonly trained_tokens: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly trl_metrics?: Readonly<Record<string, number>>;
  readonly parameters: ParameterTolerances;
}

const { manifest, cases, tally, file } = folder<PolicyCase, { checkpoint: string }>('policy');

/** Trained tokens only, in order, and their borders. */
function trained(expected: TensorFile): { index: number[]; cu: Int32Array; pick(name: string): Float32Array } {
  const [mask, offsets] = [expected.ints('loss_mask'), expected.ints('cu_seqlens')];
  const index: number[] = [];
  const cu = new Int32Array(offsets.length);
  for (let s = 0; s + 1 < offsets.length; s++) {
    for (let i = offsets[s]!; i < offsets[s + 1]!; i++) if (mask[i]) index.push(i);
    cu[s + 1] = index.length;
  }
  const pick = (name: string): Float32Array => {
    const values = expected.numbers(name);
    return Float32Array.from(index, (i) => values[i]!);
  };
  return { index, cu, pick };
}

const METRICS: Readonly<Record<string, keyof TrainMetrics>> = {
  ratio_mean: 'ratioMean',
  ratio_min: 'ratioMin',
  ratio_max: 'ratioMax',
  approx_kl_k1: 'klK1',
  approx_kl_k2: 'klK2',
  approx_kl_k3: 'klK3',
  fraction_above: 'above',
  fraction_below: 'below',
  entropy: 'entropy',
  ref_kl_k1: 'refKlK1',
  ref_kl_k2: 'refKlK2',
  ref_kl_k3: 'refKlK3',
};

/** Metrics are means of smooth functions of log-probabilities, so they move with the tolerance of these. */
function checkMetrics(name: string, wanted: PolicyCase, actual: TrainMetrics): void {
  const slope = 2 * Math.max(2, wanted.metrics['ratio_max'] ?? 1);
  const atol = slope * (tolerance(wanted.tolerances, 'logprob').atol ?? 1e-5);
  for (const [key, expected] of Object.entries(wanted.metrics)) {
    const ours = METRICS[key];
    if (ours) tally.close(`${name} ${key}`, [actual[ours]], [expected], { atol });
  }
  // The package counts sequences at the sequence level, and has other bounds for other losses.
  const { loss_type, level, delta } = wanted.settings;
  const comparable = level === 'token' && delta === null && ['grpo', 'dapo', 'dr_grpo'].includes(loss_type);
  if (!comparable || !wanted.trl_metrics) return;
  const [low, high] = [wanted.trl_metrics['clip_ratio/low_mean'], wanted.trl_metrics['clip_ratio/high_mean']];
  if (low !== undefined) tally.close(`${name} clipped low`, [actual.clippedLow], [low], { atol: 1e-6 });
  if (high !== undefined) tally.close(`${name} clipped high`, [actual.clippedHigh], [high], { atol: 1e-6 });
}

for (const [name, wanted] of cases) {
  const loss = lossSettings(wanted.settings);
  const t = (key: string) => tolerance(wanted.tolerances, key);
  // The loss is a sum of terms that nearly cancel. Its atol has a floor for that (see `tolerance` in the manifest); the
  // relative tolerance of the same number has none, and rounding the inputs to float32 alone can exceed it.
  const lossTolerance = { atol: t('loss').atol };

  test(`policy ${name}: the loss op`, () => {
    const expected = file(name);
    const { cu, pick } = trained(expected);
    const optional = <K extends string>(key: K, column: string): Partial<Record<K, Float32Array>> =>
      expected.has(column) ? ({ [key]: pick(column) } as Record<K, Float32Array>) : {};
    const { metrics, dlogprob } = addon.policyLoss(loss, {
      cuTrained: cu,
      logprob: pick('logprob'),
      entropy: pick('entropy'),
      advantage: pick('advantages'),
      ...optional('oldLogprob', 'old_logprob'),
      ...optional('refLogprob', 'ref_logprob'),
      ...optional('behaviour', 'behaviour_logprob'),
    });
    assert.equal(metrics.tokens, wanted.trained_tokens);
    tally.close(`${name} loss (op)`, [metrics.loss], expected.numbers('loss'), lossTolerance);
    tally.close(`${name} dloss_dlogprob`, dlogprob, pick('dloss_dlogprob'), t('dloss_dlogprob'));
    checkMetrics(`${name} (op)`, wanted, metrics);
    tally.cases++;
  });

  test(`policy ${name}: end to end`, async () => {
    const expected = file(name);
    const { tokens, offsets } = packedTokens(expected, '');
    const column = (key: string): Float64Array | undefined => (expected.has(key) ? expected.numbers(key) : undefined);
    const batch = describePacked({
      tokens,
      offsets,
      loss_mask: expected.ints('loss_mask'),
      // `logprob` is what the sampler recorded: only importance weights need it, and an on-policy case has neither.
      logprob: column('behaviour_logprob'),
      old_logprob: column('old_logprob'),
      ref_logprob: column('ref_logprob'),
      token_advantage: expected.numbers('advantages'),
    });
    await withModel(checkpointPath(manifest.checkpoint), async (model) => {
      const scored = await model.score(batch, {
        temperature: loss.temperature,
        weights: 'policy',
        microBatchTokens: 8192,
      });
      const { index, pick } = trained(expected);
      const own = index.map((i) => scored.logprob[i]!);
      tally.close(`${name} logprob`, own, pick('logprob'), {
        atol: t('logprob').atol,
        rel_l2_tol: t('logprob').rel_l2_tol,
      });

      const metrics = await model.accumulate(batch, loss, TRAIN);
      assert.equal(metrics.tokens, wanted.trained_tokens);
      tally.close(`${name} loss`, [metrics.loss], expected.numbers('loss'), lossTolerance);
      checkMetrics(name, wanted, metrics);
      checkGradients(tally, name, model, expected, wanted.parameters);
      const { gradNorm } = await model.update(STAND_STILL);
      tally.close(`${name} grad_norm`, [gradNorm], expected.numbers('grad_norm'), t('grad_norm'));
    });
    tally.cases++;
  });
}
