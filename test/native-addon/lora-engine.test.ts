// An adapter in the engine: with bfloat16 weights, and beside cache pages and fingerprints of the weights.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { adapt, adapterJson } from '../support/adapter.ts';
import { addon } from '../support/addon.ts';
import { assertSameBits, difference } from '../support/compare.ts';
import { flat } from '../support/generated.ts';
import { checkpointPath, GOLDEN, withModel, withTemporary } from '../support/golden.ts';
import { assertExact, FAMILIES, generate, makePrompts, score, trainingBatch } from '../support/rollouts.ts';
import { LOSS, NLL, STAND_STILL, TRAIN } from '../support/settings.ts';

const BASE = checkpointPath('llama');
const STEP = { ...STAND_STILL, lr: 1e-2, weightDecay: 0.1, decay: 'matrices' } as const;
const own = addon.doctor().bf16;
after(() => addon.setBf16(own));

const weights = (model: NativeModel): Float32Array =>
  flat(model.parameters.map(({ name }) => model.read(name, 'policy')));
const adapterWeights = (model: NativeModel): Float32Array =>
  flat(model.adapter!.parameters.map(({ name }) => model.read(name, 'policy')));

for (const unit of new Set(['vector', 'emulated', own])) {
  for (const family of FAMILIES) {
    test(`an adapter beside bfloat16 weights (${unit}) of ${family}: recorded = scored, and it alone is trained`, async () => {
      addon.setBf16(unit);
      const model = await addon.loadModel(checkpointPath(family), { dtype: 'bfloat16' });
      const prompts = makePrompts(model);
      const bare = await generate(model, prompts, {});
      await adapt(model);
      const [before, first] = [weights(model), adapterWeights(model)];
      const { rows } = await generate(model, prompts, { temperature: 0.8, maxRunning: 5, prefillTokens: 9 });
      await assertExact('before a step', model, rows, 0.8);
      const metrics = await model.accumulate(trainingBatch(rows), { ...LOSS, temperature: 0.8 }, TRAIN);
      assert.deepEqual([metrics.mismatch, metrics.ratioMin, metrics.ratioMax], [0, 1, 1]);
      assert.ok((await model.update(STEP)).gradNorm > 0);
      assertSameBits('the weights beside the adapter', weights(model), before);
      assert.ok(difference(adapterWeights(model), first).largest > 0, 'the adapter has moved');
      const later = await generate(model, prompts, { temperature: 0.8 });
      await assertExact('after a step', model, later.rows, 0.8);
      assert.ok(
        difference(await score(model, bare.rows), await score(model, bare.rows, { weights: 'reference' })).largest > 0,
      );
      model.close();
    });
  }
}

test('cache pages of before are not read when an adapter comes, learns, or is merged', () =>
  withModel(BASE, async (model) => {
    const prompts = makePrompts(model);
    const asFresh = async (what: string, prepare: (fresh: NativeModel) => Promise<void>): Promise<void> => {
      const { rows, stats } = await generate(model, prompts, { keepPrefixes: true });
      assert.equal(stats.reusedTokens, 0, what);
      await withModel(BASE, async (fresh) => {
        await prepare(fresh);
        const want = await generate(fresh, prompts, {});
        const logprobs = (of: typeof rows): Float32Array => flat(of.map((row) => row.rawLogprob));
        assertSameBits(what, logprobs(rows), logprobs(want.rows));
      });
      assert.ok((await generate(model, prompts, { keepPrefixes: true })).stats.reusedTokens > 0, `${what}, again`);
    };
    await asFresh('bare', async () => {});
    await adapt(model);
    await asFresh('with an adapter', (fresh) => adapt(fresh));
    const learn = async (of: NativeModel): Promise<void> => {
      const { rows } = await generate(of, prompts, { keepPrefixes: true });
      await of.accumulate(trainingBatch(rows), NLL, TRAIN);
      await of.update(STEP);
    };
    await learn(model);
    const learned = async (fresh: NativeModel): Promise<void> => {
      await adapt(fresh);
      await learn(fresh);
    };
    await asFresh('after a step', learned);
    await model.mergeAdapter();
    const merged = async (fresh: NativeModel): Promise<void> => {
      await learned(fresh);
      await fresh.mergeAdapter();
    };
    await asFresh('merged', merged);
    await model.loadAdapter(path.join(GOLDEN, 'lora', 'llama'));
    await asFresh('with another adapter on top', async (fresh) => {
      await merged(fresh);
      await fresh.loadAdapter(path.join(GOLDEN, 'lora', 'llama'));
    });
  }));

test('a fingerprint is of the weights alone, every bit of them, whatever they were read from', () =>
  withModel(BASE, async (model) => {
    const first = await model.fingerprint();
    assert.match(first, /^[0-9a-f]{16}$/);
    await model.createAdapter(adapterJson(), 1);
    assert.equal(await model.fingerprint(), first, 'with an adapter');
    await withModel(checkpointPath('llama-sharded'), async (other) => assert.equal(await other.fingerprint(), first));
    const half = await addon.loadModel(BASE, { dtype: 'bfloat16' });
    assert.equal(await half.fingerprint(), first, 'bfloat16 is how it computes');
    half.close();
    await withModel(checkpointPath('qwen3-bf16'), (narrow) =>
      withTemporary(async (directory) => {
        await narrow.saveWeights(path.join(directory, 'model.safetensors'), { dtype: 'float32' });
        writeFileSync(path.join(directory, 'config.json'), narrow.configAs('float32'));
        const found = await narrow.fingerprint();
        await withModel(directory, async (wide) => assert.equal(await wide.fingerprint(), found, 'a wider type'));
      }),
    );
    const seen = new Set([first]);
    for (const { name } of model.parameters) {
      for (const at of [0, -1]) {
        const values = model.read(name, 'policy');
        const bits = new Uint32Array(values.buffer);
        bits[at < 0 ? bits.length - 1 : at]! ^= 1;
        model.write(name, 'policy', values);
        seen.add(await model.fingerprint());
      }
    }
    assert.equal(seen.size, 1 + 2 * model.parameters.length);
    await model.mergeAdapter();
    await model.accumulate(trainingBatch((await generate(model, makePrompts(model), {})).rows), NLL, TRAIN);
    const before = await model.fingerprint();
    await model.update(STEP);
    assert.notEqual(await model.fingerprint(), before, 'after a step');
  }));
