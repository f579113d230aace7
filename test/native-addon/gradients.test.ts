// What a training pass over sampled rows must not depend on: micro-batches, recomputation, threads.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { trained, VARIANTS } from '../support/adapter.ts';
import { addon } from '../support/addon.ts';
import { assertSameBits, sameBits } from '../support/compare.ts';
import { flat } from '../support/generated.ts';
import { generate, makePrompts, trainingBatch } from '../support/rollouts.ts';
import { LOSS } from '../support/settings.ts';

const { threads: defaultThreads } = addon.doctor();
after(() => addon.setThreads(defaultThreads));

const gradients = (model: NativeModel): Float32Array => flat(trained(model).map((p) => model.read(p.name, 'gradient')));

function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  let [error, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(error / norm);
}

for (const { name, open } of VARIANTS) {
  test(`${name}: training sees ratio 1 and no mismatch`, () =>
    open(async (model) => {
      for (const temperature of [1, 0.7]) {
        addon.setThreads(2);
        const { rows: generated } = await generate(model, makePrompts(model), { temperature, maxRunning: 5 });
        const batch = trainingBatch(generated);
        const loss = { ...LOSS, temperature };
        for (const [threads, microBatchTokens, recompute] of [
          [1, 8192, 'none'],
          [2, 100, 'block'],
          [3, 1, 'none'],
        ] as const) {
          addon.setThreads(threads);
          const metrics = await model.accumulate(batch, loss, { microBatchTokens, recompute });
          assert.equal(metrics.mismatch, 0, 'mismatch');
          assert.equal(metrics.ratioMean, 1, 'ratioMean');
          assert.deepEqual([metrics.ratioMin, metrics.ratioMax, metrics.klK3], [1, 1, 0]);
          model.zeroGradients();
        }
      }
    }));

  test(`${name}: gradients do not depend on micro-batches, recomputation or threads`, () =>
    open(async (model) => {
      addon.setThreads(2);
      const { rows: generated } = await generate(model, makePrompts(model), {});
      const batch = trainingBatch(generated);
      const run = async (microBatchTokens: number, recompute: 'none' | 'block') => {
        model.zeroGradients();
        const { loss, microBatches } = await model.accumulate(batch, LOSS, { microBatchTokens, recompute });
        return { loss, microBatches, gradient: gradients(model) };
      };
      const whole = await run(8192, 'none');
      assert.equal(whole.microBatches, 1);
      const report: string[] = [];
      for (const microBatchTokens of [600, 200, 64, 1]) {
        const split = await run(microBatchTokens, 'none');
        const off = relativeDifference(split.gradient, whole.gradient);
        report.push(
          `${split.microBatches} micro-batches ${sameBits(split.gradient, whole.gradient) ? off.toExponential(1) : 'bitwise'}`,
        );
        assert.ok(split.microBatches > 1);
        assert.ok(off <= 1e-6, `micro-batches of ${microBatchTokens}: gradients differ by ${off.toExponential(2)}`);
        assert.ok(Math.abs(split.loss - whole.loss) <= 1e-6 * Math.abs(whole.loss) + 1e-9, 'loss');
      }
      for (const microBatchTokens of [8192, 200]) {
        const kept = await run(microBatchTokens, 'none');
        const recomputed = await run(microBatchTokens, 'block');
        assertSameBits(`recompute, micro-batches of ${microBatchTokens}`, recomputed.gradient, kept.gradient);
      }
      for (const threads of [1, 3]) {
        addon.setThreads(threads);
        const other = await run(8192, 'none');
        const off = relativeDifference(other.gradient, whole.gradient);
        report.push(
          `${threads} threads ${sameBits(other.gradient, whole.gradient) ? off.toExponential(1) : 'bitwise'}`,
        );
        assert.ok(off <= 1e-6, `${threads} threads: gradients differ by ${off.toExponential(2)}`);
      }
      console.log(`gradient of ${name} against 1 micro-batch on 2 threads: ${report.join(', ')}`);
    }));
}
