// A model with a LoRA adapter: what is trained and what is not, the reference, files, merging, and adapters that do not fit.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { NativeModel } from '../../lib/native/addon.ts';
import { adapt, adapterJson } from '../support/adapter.ts';
import { addon } from '../support/addon.ts';
import { editJson, heartbeat, refused } from '../support/broken.ts';
import { assertSameBits, difference } from '../support/compare.ts';
import { flat } from '../support/generated.ts';
import { checkpointPath, GOLDEN, withModel, withTemporary } from '../support/golden.ts';
import { generate, makePrompts, score, trainingBatch } from '../support/rollouts.ts';
import { LOSS, NLL, STAND_STILL, TRAIN } from '../support/settings.ts';
import { TensorFile } from '../support/safetensors.ts';

const BASE = checkpointPath('llama');
const ADAPTER = path.join(GOLDEN, 'lora', 'llama');
const STEP = { ...STAND_STILL, lr: 1e-2, weightDecay: 0.1, decay: 'matrices' } as const;

const weights = (model: NativeModel): Float32Array =>
  flat(model.parameters.map(({ name }) => model.read(name, 'policy')));
const adapterWeights = (model: NativeModel, set: 'policy' | 'reference' = 'policy'): Float32Array =>
  flat(model.adapter!.parameters.map(({ name }) => model.read(name, set)));

async function train(model: NativeModel, steps = 1): Promise<void> {
  const { rows } = await generate(model, makePrompts(model), {});
  for (let i = 0; i < steps; i++) {
    await model.accumulate(trainingBatch(rows), NLL, TRAIN);
    await model.update(STEP);
  }
}

test('only the adapter is trained: the weights keep their bits and have no gradients', () =>
  withModel(BASE, async (model) => {
    const before = weights(model);
    await model.createAdapter(adapterJson(), 1);
    const first = adapterWeights(model);
    await train(model, 3);
    assertSameBits('the weights beside the adapter', weights(model), before);
    assert.ok(difference(adapterWeights(model), first).largest > 0, 'the adapter has moved');
    assert.equal(model.step, 3);
    for (const set of ['gradient', 'exp_avg', 'exp_avg_sq'] as const)
      await refused(set, () => model.read('model.norm.weight', set), /frozen/);
  }));

test('a fresh adapter changes nothing, and depends on its seed alone', () =>
  withModel(BASE, async (model) => {
    const { rows } = await generate(model, makePrompts(model), {});
    const before = await score(model, rows);
    await model.createAdapter(adapterJson(), 5);
    assertSameBits('scores', await score(model, rows), before);
    const first = adapterWeights(model);
    await withModel(BASE, async (other) => {
      await other.createAdapter(adapterJson(), 5);
      assertSameBits('the same seed', adapterWeights(other), first);
    });
    await withModel(BASE, async (other) => {
      await other.createAdapter(adapterJson(), 6);
      assert.ok(difference(adapterWeights(other), first).largest > 0, 'another seed');
    });
  }));

test('the reference is the model without its adapter until it is moved', () =>
  withModel(BASE, async (model) => {
    const { rows } = await generate(model, makePrompts(model), {});
    const base = await score(model, rows);
    const before = addon.doctor().bufferBytes;
    await model.createAdapter(adapterJson(), 1);
    assertSameBits('before any call', await score(model, rows, { weights: 'reference' }), base);
    await model.updateReference(1);
    assert.equal(model.hasReference, true);
    await train(model, 2);
    assertSameBits('reference', await score(model, rows, { weights: 'reference' }), base);
    assert.ok(difference(await score(model, rows), base).largest > 1e-3, 'the policy is not the reference');
    const held = addon.doctor().bufferBytes - before;

    // reference = alpha policy + (1 - alpha) reference, in the weights: merged, half of the adapter is in it.
    await model.updateReference(0.5);
    const half = await score(model, rows, { weights: 'reference' });
    const copy = addon.doctor().bufferBytes - before - held;
    assert.ok(
      copy > 0 && copy < 4 * model.parameterCount,
      `moving the reference took ${copy} bytes, the weights have ${4 * model.parameterCount}`,
    );
    await withModel(BASE, async (other) => {
      await other.createAdapter(adapterJson({ lora_alpha: 2 }), 1);
      for (const { name } of model.adapter!.parameters) other.write(name, 'policy', model.read(name, 'policy'));
      assert.ok(difference(await score(other, rows), half).largest < 1e-5, 'half of the adapter');
    });

    await model.updateReference(1);
    assertSameBits('after alpha = 1', await score(model, rows, { weights: 'reference' }), await score(model, rows));
    const [a, b] = [adapterWeights(model, 'reference'), adapterWeights(model)];
    await train(model);
    await model.updateReference(0.25);
    const [moved, policy] = [adapterWeights(model, 'reference'), adapterWeights(model)];
    assertSameBits('reference before', a, b);
    assert.ok(
      difference(
        moved,
        policy.map((x, i) => 0.25 * x + 0.75 * a[i]!),
      ).largest < 1e-7,
      'moving average of A and B',
    );
  }));

test('a policy that begins with a trained adapter is copied into the reference', () =>
  withModel(BASE, async (model) => {
    await model.loadAdapter(ADAPTER);
    const { rows } = await generate(model, makePrompts(model), {});
    await model.updateReference(1);
    assertSameBits('reference', await score(model, rows, { weights: 'reference' }), await score(model, rows));
  }));

test('saving gives the bytes that were loaded; state and adapter go on bit for bit', () =>
  withTemporary(async (directory) => {
    const file = (name: string): string => path.join(directory, name);
    await withModel(BASE, async (model) => {
      await model.loadAdapter(ADAPTER);
      await model.saveAdapter(file('adapter_model.safetensors'));
      const [saved, golden] = [directory, ADAPTER].map(
        (d) => new TensorFile(path.join(d, 'adapter_model.safetensors')),
      );
      assert.deepEqual([...saved!.tensors], [...golden!.tensors]);
      const config = JSON.parse(model.adapter!.config);
      const original = JSON.parse(readFileSync(path.join(ADAPTER, 'adapter_config.json'), 'utf8'));
      for (const key of Object.keys(config).filter((name) => name !== 'base_model_name_or_path'))
        assert.deepEqual(config[key], original[key], key);
      assert.equal(config.base_model_name_or_path, BASE);
      await refused('saveWeights', () => model.saveWeights(file('model.safetensors')), /adapter/);
    });

    for (const moved of [false, true]) {
      await withModel(BASE, async (model) => {
        await model.createAdapter(adapterJson(), 3);
        await model.updateReference(1);
        await train(model, 2);
        if (moved) await model.updateReference(0.5);
        await model.saveAdapter(file('adapter_model.safetensors'));
        writeFileSync(file('adapter_config.json'), model.adapter!.config);
        await model.saveState(file('optimizer.safetensors'));
        const tensors = [...new TensorFile(file('optimizer.safetensors')).tensors.keys()];
        assert.equal(
          tensors.length,
          (moved ? 3 : 2) * model.adapter!.parameters.length,
          'moments of the adapter alone',
        );
        const { rows } = await generate(model, makePrompts(model), {});

        await withModel(BASE, async (resumed) => {
          await resumed.loadAdapter(directory);
          await resumed.loadState(file('optimizer.safetensors'));
          assert.deepEqual([resumed.step, resumed.hasReference], [2, true]);
          for (const m of [model, resumed]) await train(m, 2);
          assertSameBits('adapter', adapterWeights(resumed), adapterWeights(model));
          for (const m of [model, resumed]) await m.updateReference(0.5);
          const reference = await score(model, rows, { weights: 'reference' });
          assertSameBits('reference', await score(resumed, rows, { weights: 'reference' }), reference);
        });
      });
      await withModel(BASE, async (plain) => {
        await refused(
          'state of an adapter',
          () => plain.loadState(file('optimizer.safetensors')),
          /another model|adapter/,
        );
      });
    }
  }));

test('merging keeps the policy; afterwards all weights are trained again', () =>
  withModel(BASE, async (model) => {
    await adapt(model, { use_rslora: true });
    await model.updateReference(1);
    const { rows } = await generate(model, makePrompts(model), {});
    const before = await score(model, rows);
    await model.mergeAdapter();
    assert.equal(model.adapter, null);
    assert.deepEqual([model.step, model.hasReference], [0, false]);
    const { largest } = difference(await score(model, rows), before);
    assert.ok(largest > 0 && largest < 2e-5, `log-probabilities differ by ${largest}`);
    const merged = weights(model);
    await train(model);
    assert.ok(difference(weights(model), merged).largest > 0);
    await refused('nothing to merge', () => model.mergeAdapter(), /no adapter/);
    // And another one on top, whose base is no longer what was loaded.
    await model.createAdapter(adapterJson(), 2);
    assert.equal(JSON.parse(model.adapter!.config).base_model_name_or_path, null);
    await refused('a second adapter', () => model.createAdapter(adapterJson(), 2), /already/);
    await refused(
      'the reference shares the weights',
      () => model.write('model.norm.weight', 'reference', model.read('model.norm.weight', 'reference')),
      /reference/,
    );
  }));

test('the plan shows what an adapter saves, and holds', () =>
  withModel(BASE, async (model) => {
    const request = {
      ...{ prompts: 6, samplesPerPrompt: 3, promptTokens: 20, newTokens: 37, maxRunning: 256, prefillTokens: 2048 },
      ...({ microBatchTokens: 8192, recompute: 'none', reference: true } as const),
    };
    const bytes = (name: string): number =>
      model.plan(request).segments.find((segment) => segment.name === name)?.bytes ?? 0;
    const full = { moments: bytes('train: gradients and moments'), reference: bytes('reference weights') };
    await model.createAdapter(adapterJson(), 1);
    const { parameterCount } = model.adapter!;
    const moments = bytes('train: gradients and moments');
    assert.ok(moments >= 12 * parameterCount && moments < 12 * parameterCount * 1.2 && moments < full.moments / 4);
    assert.equal(bytes('reference weights'), 0);
    assert.ok(bytes('adapter of the reference') < full.reference / 4);
    // Not while another call replaces what is planned for.
    const merging = model.mergeAdapter();
    assert.throws(() => model.plan(request), /another call/);
    await merging;
    await model.createAdapter(adapterJson(), 1);
    const before = addon.doctor().bufferBytes;
    await train(model);
    await model.updateReference(1);
    await score(model, (await generate(model, makePrompts(model), {})).rows, { weights: 'reference' });
    const held = addon.doctor().bufferBytes - before;
    const planned = model.plan(request);
    const there = planned.segments.filter(({ name }) => name === 'policy weights' || name === 'adapter');
    const rest = planned.total - there.reduce((sum, segment) => sum + segment.bytes, 0);
    assert.ok(Math.abs(held / rest - 1) < 0.1, `planned ${rest} bytes more, ${held} were taken`);
  }));

test('adapters that do not fit are refused whole', () =>
  withTemporary((directory) =>
    withModel(BASE, async (model) => {
      const beat = await heartbeat(model);
      const spoilt = async (what: string, spoil: () => void, message: RegExp): Promise<void> => {
        rmSync(directory, { recursive: true, force: true });
        cpSync(ADAPTER, directory, { recursive: true });
        spoil();
        await refused(what, () => model.loadAdapter(directory), message);
        assert.equal(model.adapter, null, `${what}: nothing is attached`);
        await beat();
      };
      const config = path.join(directory, 'adapter_config.json');
      const file = path.join(directory, 'adapter_model.safetensors');
      const edit = (changes: object) => (): void => editJson(config, (json) => Object.assign(json, changes));
      await spoilt('another rank', edit({ r: 8 }), /lora_A\.weight.*shape \[4, 64\].*\[8, 64\]/s);
      await spoilt('fewer targets than tensors', edit({ target_modules: ['q_proj'] }), /v_proj.*belongs to no layer/s);
      await spoilt(
        'more targets than tensors',
        edit({ target_modules: ['q_proj', 'v_proj', 'o_proj'] }),
        /no tensor .*o_proj/,
      );
      await spoilt(
        'a layer that is not there',
        edit({ layers_to_transform: [0, 7] }),
        /has 7, the model has layers 0 to 1/,
      );
      await spoilt('fewer layers', edit({ layers_to_transform: [1] }), /layers\.0.*belongs to no layer/s);
      await spoilt('a target of another model', edit({ target_modules: ['c_attn'] }), /"c_attn"/);
      await spoilt('dropout', edit({ lora_dropout: 0.1 }), /lora_dropout/);
      await spoilt('DoRA', edit({ use_dora: true }), /use_dora is not supported/);
      await spoilt('no configuration', () => rmSync(config), /adapter_config\.json/);
      await spoilt('no weights', () => rmSync(file), /adapter_model\.safetensors/);
      await spoilt(
        'pickled weights',
        () => renameSync(file, file.replace('safetensors', 'bin')),
        /save the adapter as safetensors/,
      );
      await spoilt(
        'cut short',
        () => writeFileSync(file, readFileSync(file).subarray(0, -4)),
        /adapter_model\.safetensors/,
      );
      await spoilt('a configuration that is no JSON', () => writeFileSync(config, '{"r": '), /adapter_config\.json/);
      await refused('no folder', () => model.loadAdapter('/nowhere'), /nowhere/);
      await refused('no text', () => model.createAdapter(5 as never, 1), /configJson/);
      await refused('no seed', () => model.createAdapter(adapterJson(), -1), /seed/);
      await refused('nothing to save', () => model.saveAdapter(path.join(directory, 'x')), /no adapter/);
      await refused('an impossible rank', () => model.createAdapter(adapterJson({ r: 70_000 }), 1), /r is 70000/);
      // An adapter of a wider model.
      const wider = JSON.parse(model.config);
      Object.assign(wider, { hidden_size: 96, head_dim: 16 });
      const other = await addon.createModel(JSON.stringify(wider), 1);
      await refused('another base', () => other.loadAdapter(ADAPTER), /shape \[4, 64\].*\[4, 96\].*another model/s);
      other.close();
    }),
  ));

test('the policy gradient through an adapter is exact on-policy after an update', () =>
  withModel(BASE, async (model) => {
    await adapt(model, { target_modules: ['q_proj', 'down_proj'] });
    await train(model);
    const { rows } = await generate(model, makePrompts(model), { temperature: 0.7 });
    const metrics = await model.accumulate(trainingBatch(rows), { ...LOSS, temperature: 0.7 }, TRAIN);
    assert.deepEqual([metrics.mismatch, metrics.ratioMin, metrics.ratioMax], [0, 1, 1]);
  }));
