// A run that trains a LoRA adapter on the checkpoint of another run: what is saved, used again and refused.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openFolder } from '../../lib/model.ts';
import { addon } from '../support/addon.ts';
import { exitRl, inTemporaryFolder, TINY } from '../support/cli.ts';
import { survivesKills } from '../support/resume.ts';
import { TensorFile } from '../support/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
const [base, run] = [join(folder, 'base'), join(folder, 'run')];
const BASE = join(base, 'checkpoints', 'step-000012');
const ON_BASE = [...TINY, '--set=model.decoder=null', `--set=model.path=${BASE}`];
/** Rank 2 on two kinds of layers, with a reference that moves. */
const LORA = [
  ...ON_BASE,
  '--set=model.lora={rank: 2, alpha: 4, targets: [v_proj, up_proj]}',
  '--set=algorithm.loss.klWeight=0.1',
  '--set=algorithm.reference={every: 4, alpha: 0.5}',
];

before(() => {
  const made = exitRl([...TINY, '--strategy=grpo', '--out', base]);
  assert.equal(made.code, 0, made.stderr);
  const trained = exitRl([...LORA, '--out', run]);
  assert.equal(trained.code, 0, trained.stderr);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('checkpoints hold the adapter in the peft layout and its optimizer state, nothing of the base', () => {
  const path = join(run, 'improve', 'checkpoints', 'step-000012');
  assert.deepEqual(readdirSync(path).sort(), [
    'adapter_config.json',
    'adapter_model.safetensors',
    'curriculum.arrow',
    'optimizer.safetensors',
    'state.json',
  ]);
  const config = JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'));
  assert.deepEqual([config.peft_type, config.r, config.target_modules], ['LORA', 2, ['v_proj', 'up_proj']]);
  assert.equal(config.base_model_name_or_path, BASE);
  const tensors = new TensorFile(join(path, 'adapter_model.safetensors')).tensors;
  const name = (module: string) => `base_model.model.model.layers.0.${module}.weight`;
  const expected = ['self_attn.v_proj.lora_A', 'self_attn.v_proj.lora_B', 'mlp.up_proj.lora_A', 'mlp.up_proj.lora_B'];
  assert.deepEqual([...tensors.keys()], expected.map(name));
  const state = [...new TensorFile(join(path, 'optimizer.safetensors')).tensors.keys()];
  assert.ok(state.length === 12 && state.every((key) => /^(exp_avg|exp_avg_sq|reference)\.base_model\./.test(key)));
});

test('the sampler and the update agree bit for bit, and the adapter learns', () => {
  const lines = readFileSync(join(run, 'grpo', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  const steps = lines.map((line) => JSON.parse(line) as Record<string, number>);
  assert.ok(steps.every((step) => step['mismatch'] === 0));
  assert.ok(steps.some((step) => step['gradNorm']! > 0));
  const b = new TensorFile(join(run, 'grpo', 'checkpoints', 'step-000012', 'adapter_model.safetensors'));
  assert.ok(b.numbers('base_model.model.model.layers.0.mlp.up_proj.lora_B.weight').some((x) => x !== 0));
});

test('eval and sample take such runs', () => {
  const evaluated = exitRl(['eval', run, '--k', '0,2', '--instances', '16', '--json']);
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const curves = JSON.parse(evaluated.stdout) as Record<string, { points: { quality: number }[] }>;
  const results = JSON.parse(readFileSync(join(run, 'results.json'), 'utf8')) as typeof curves;
  for (const arm of ['grpo', 'improve'])
    assert.deepEqual(
      curves[arm]!.points.map((point) => point.quality),
      results[arm]!.points.map((point) => point.quality),
    );
  const sampled = exitRl(['sample', join(run, 'grpo'), '--k', '1']);
  assert.equal(sampled.code, 0, sampled.stderr);
});

test('a saved adapter opens on its base, can be merged, and starts another run', async () => {
  const path = join(run, 'grpo', 'checkpoints', 'step-000012');
  const model = await openFolder(addon, path);
  assert.equal(model.adapter!.parameterCount, 128);
  await model.mergeAdapter();
  await model.saveWeights(join(folder, 'merged.safetensors'));
  model.close();
  const merged = new TensorFile(join(folder, 'merged.safetensors'));
  const plain = new TensorFile(join(BASE, 'model.safetensors'));
  for (const name of plain.tensors.keys()) {
    const same = merged.numbers(name).every((x, i) => x === plain.numbers(name)[i]);
    assert.equal(same, !/(v|up)_proj/.test(name), name);
  }
  const next = join(folder, 'next');
  const went = exitRl([
    ...ON_BASE,
    '--strategy=grpo',
    '--set=warmup.steps=0',
    '--set=train.steps=2',
    `--set=model.adapter=${path}`,
    '--out',
    next,
  ]);
  assert.equal(went.code, 0, went.stderr);
  const config = JSON.parse(readFileSync(join(next, 'checkpoints', 'step-000002', 'adapter_config.json'), 'utf8'));
  assert.deepEqual([config.r, config.base_model_name_or_path], [2, BASE]);
});

test('a dry run counts what is trained', () => {
  const { code, stdout } = exitRl([...LORA, '--dry-run', '--json']);
  assert.equal(code, 0);
  const { parameterCount, trained, memory } = JSON.parse(stdout);
  assert.ok(trained === 128 && parameterCount > 1000);
  const segments = (memory.segments as { name: string }[]).map(({ name }) => name);
  assert.ok(segments.includes('adapter of the reference') && !segments.includes('reference weights'));
});

test('kills at random moments leave no trace', { timeout: 300_000 }, () =>
  inTemporaryFolder(async (place) => {
    await survivesKills(place, LORA, 3);
  }),
);

test('what cannot work is said before anything is trained', () => {
  let tried = 0;
  const refused = (settings: readonly string[], message: RegExp): void => {
    const { code, stderr } = exitRl([...ON_BASE, ...settings, '--out', join(folder, `refused-${tried++}`)]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  };
  refused(['--set=model.lora={dropout: 0.1}'], /model\.lora\.dropout: must be 0.*got 0\.1/);
  refused(['--set=model.lora={rnak: 4}'], /unknown key "model\.lora\.rnak" \(did you mean "rank"\?\)/);
  refused(['--set=model.lora={targets: [query]}'], /model\.lora: targets has "query", which names no linear layer/);
  refused(['--set=model.lora={layers: [3]}'], /model\.lora: layers has 3, the model has layers 0 to 0/);
  refused(['--set=model.lora={targets: .*q_proj, layers: [0]}'], /a regular expression in targets/);
  refused(['--set=model.lora={}', '--set=model.adapter=x'], /either lora .* or adapter/);
  refused(['--set=model.adapter=nowhere'], /model\.adapter nowhere: no adapter_config\.json/);
  const fresh = exitRl([...TINY, '--set=model.lora={rank: 4}', '--out', join(folder, 'refused')]);
  assert.match(fresh.stderr, /an adapter needs path/);
});

test('a base that has gone is named', async () => {
  const gone = `${base}-gone`;
  renameSync(base, gone);
  try {
    const { code, stderr } = exitRl(['eval', run]);
    assert.equal(code, 1);
    assert.match(stderr, /adapter_config\.json: the adapter belongs to the model .*step-000012, which is not there/);
  } finally {
    renameSync(gone, base);
  }
});
