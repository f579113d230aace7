// "Exact on-policy": the log-probability recorded while sampling is, bit for bit, the one training computes; and a
// sequence's tokens depend on nothing but the weights, its prompt and the key of its random numbers.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { addon } from '../support/addon.ts';
import { assertSameBits } from '../support/compare.ts';
import { flat, type GeneratedRow } from '../support/generated.ts';
import { VARIANTS } from '../support/adapter.ts';
import { checkpointPath, withModel } from '../support/golden.ts';
import {
  assertExact,
  FAMILIES,
  FIRST_SEQUENCE,
  generate,
  makePrompts,
  SAMPLES,
  score,
  TIGHT_PAGES,
  trainingBatch,
  vocabularyOf,
} from '../support/rollouts.ts';
import { NLL, STAND_STILL } from '../support/settings.ts';

const THREADS = [1, 2, 3];
const TEMPERATURES = [1, 0.7];

const machine = addon.doctor();
let compared = 0;
after(() => {
  addon.setThreads(machine.threads);
  addon.setSimd(machine.simd);
  console.log(`exactness: ${VARIANTS.length} models, ${compared} sampled log-probabilities compared bit for bit`);
});

function assertSameRows(what: string, actual: readonly GeneratedRow[], expected: readonly GeneratedRow[]): void {
  assert.equal(actual.length, expected.length, what);
  expected.forEach((row, i) => {
    assert.deepEqual([...actual[i]!.tokens], [...row.tokens], `${what}: tokens of row ${i}`);
    assertSameBits(`${what}: logprob of row ${i}`, actual[i]!.logprob, row.logprob);
    assertSameBits(`${what}: raw_logprob of row ${i}`, actual[i]!.rawLogprob, row.rawLogprob);
    compared += row.completion.length;
  });
}

for (const { name, open } of VARIANTS) {
  for (const temperature of TEMPERATURES) {
    test(`${name} at temperature ${temperature}: recorded = scored, whatever the batch looks like`, () =>
      open(async (model) => {
        const sequences = makePrompts(model);
        addon.setThreads(1);
        const plain = await generate(model, sequences, { temperature });
        await assertExact('plain', model, plain.rows, temperature);
        let preemptions = 0;
        for (const threads of THREADS) {
          addon.setThreads(threads);
          await assertExact(`${threads} threads`, model, plain.rows, temperature);
          for (const maxRunning of [1, 3, 16]) {
            for (const pages of [0, TIGHT_PAGES]) {
              for (const prefillTokens of [5, 2048]) {
                const other = await generate(model, sequences, { temperature, maxRunning, pages, prefillTokens });
                const what = `threads ${threads}, maxRunning ${maxRunning}, pages ${pages}, prefillTokens ${prefillTokens}`;
                assertSameRows(what, other.rows, plain.rows);
                preemptions += other.stats.preemptions;
                if (pages > 0)
                  assert.ok(other.stats.peakPages <= pages, `${what}: ${other.stats.peakPages} pages used`);
              }
            }
          }
        }
        assert.ok(preemptions > 0, 'the small page pool was meant to force preemption');
      }));
  }

  test(`${name}: a sequence does not depend on its company`, () =>
    open(async (model) => {
      addon.setThreads(2);
      const sequences = makePrompts(model);
      const { rows: all } = await generate(model, sequences, {});
      for (let p = 0; p < sequences.length; p++) {
        const own = all.slice(p * SAMPLES, (p + 1) * SAMPLES);
        const alone = await generate(model, [sequences[p]!], { firstSequence: FIRST_SEQUENCE + p * SAMPLES });
        assertSameRows(`prompt ${p} alone`, alone.rows, own);
        const single = await generate(model, [sequences[p]!], {
          firstSequence: FIRST_SEQUENCE + p * SAMPLES + 1,
          samplesPerPrompt: 1,
        });
        assertSameRows(`prompt ${p}, its second sample alone`, single.rows, own.slice(1, 2));
        // Other neighbours, another slot: the prompt comes last behind ones it has never been with.
        const strangers = sequences.slice(0, 2).map((s) => s.map((id) => (id + 1) % vocabularyOf(model)));
        const firstSequence = FIRST_SEQUENCE + p * SAMPLES - 2 * SAMPLES;
        const shuffled = await generate(model, [...strangers, sequences[p]!], {
          firstSequence,
          maxRunning: 4,
          prefillTokens: 9,
        });
        assertSameRows(`prompt ${p} behind strangers`, shuffled.rows.slice(2 * SAMPLES), own);
      }
      const reseeded = await generate(model, sequences, { seed: 12 });
      assert.notDeepEqual(
        reseeded.rows.map((r) => [...r.tokens]),
        all.map((r) => [...r.tokens]),
        'another seed, other tokens',
      );
    }));

  test(`${name}: exact after an update, and the reference scores like the policy it was copied from`, () =>
    open(async (model) => {
      addon.setThreads(2);
      const sequences = makePrompts(model);
      const { rows: before } = await generate(model, sequences, {});
      await model.updateReference(1);
      await model.accumulate(trainingBatch(before), NLL, { microBatchTokens: 8192, recompute: 'none' });
      await model.update({ ...STAND_STILL, lr: 1e-2 });
      const { rows: later } = await generate(model, sequences, {});
      assert.notDeepEqual(
        later.map((r) => [...r.tokens]),
        before.map((r) => [...r.tokens]),
        'the update changed the policy',
      );
      await assertExact('after an update', model, later, 1);
      const recorded = flat(before.map((row) => row.logprob));
      assertSameBits('reference', recorded, await score(model, before, { weights: 'reference' }));
    }));

  for (const simd of machine.simdAvailable) {
    test(`${name}: recorded = scored with ${simd}`, async () => {
      addon.setSimd(simd);
      addon.setThreads(2);
      try {
        await open(async (model) => {
          const { rows: generated } = await generate(model, makePrompts(model), { maxRunning: 4, pages: TIGHT_PAGES });
          await assertExact(simd, model, generated, 1);
        });
      } finally {
        addon.setSimd(machine.simd);
      }
    });
  }
}

test('filters change the recorded log-probability, never the raw one', async () => {
  const family = FAMILIES[0];
  if (family === undefined) return;
  await withModel(checkpointPath(family), async (model) => {
    const filtered = { temperature: 0.7, topK: 20, topP: 0.9, minP: 0.02 };
    const { rows: generated } = await generate(model, makePrompts(model), filtered);
    const raw = flat(generated.map((row) => row.rawLogprob));
    assertSameBits('raw_logprob', raw, await score(model, generated));
    for (const { logprob, promptLength } of generated) {
      for (const value of logprob.subarray(promptLength)) assert.ok(value <= 0 && Number.isFinite(value));
    }
  });
});
