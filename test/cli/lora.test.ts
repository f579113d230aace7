// A run that trains a LoRA adapter on the checkpoint of another run: what is saved, used again and refused.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
    const out = join(folder, `refused-${tried++}`);
    const { code, stderr } = exitRl([...ON_BASE, ...settings, '--out', out]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
    assert.equal(existsSync(out), false, 'no folder is left');
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

const evaluation = (...args: string[]): ReturnType<typeof exitRl> =>
  exitRl(['eval', run, '--k', '0', '--instances', '16', '--json', ...args]);

test('a base that has gone is named, and another folder with it can be given', () => {
  const before = evaluation();
  const gone = `${base}-gone`;
  const there = join(gone, 'checkpoints', 'step-000012');
  renameSync(base, gone);
  try {
    const { code, stderr } = evaluation();
    assert.equal(code, 1);
    assert.match(stderr, /adapter_config\.json: the adapter belongs to the model .*step-000012, which is not there/);
    assert.match(stderr, /say where its folder is with --base/);
    const again = evaluation('--base', there);
    assert.deepEqual([again.code, again.stdout], [0, before.stdout], again.stderr);
    assert.equal(exitRl(['sample', join(run, 'grpo'), '--k', '0', '--base', there]).code, 0);
    assert.equal(exitRl(['export', join(run, 'grpo'), join(folder, 'exported'), '--base', there]).code, 0);
    assert.equal(exitRl(['inspect', join(run, 'grpo'), '--base', there]).code, 0);
    assert.match(exitRl(['train', '--resume', run]).stderr, /is not there/);
    const resumed = exitRl(['train', '--resume', run, '--base', there]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.match(exitRl(['eval', gone, '--base', there]).stderr, /the run trains a whole model, not an adapter/);
    assert.match(exitRl([...LORA, '--base', there, '--out', join(folder, 'x')]).stderr, /it goes with --resume/);
  } finally {
    renameSync(gone, base);
  }
});

test('a base with other weights of the same shape is refused', () => {
  const other = join(folder, 'other');
  cpSync(BASE, other, { recursive: true });
  const file = join(other, 'model.safetensors');
  const bytes = readFileSync(file);
  bytes[bytes.length - 4]! ^= 1; // the last bit of the last number
  writeFileSync(file, bytes);
  const kept = `${BASE}-kept`;
  const checks: [string, () => ReturnType<typeof exitRl>][] = [
    ['eval', evaluation],
    ['sample', () => exitRl(['sample', join(run, 'grpo')])],
    ['export', () => exitRl(['export', join(run, 'grpo'), join(folder, 'wrong')])],
    ['resume', () => exitRl(['train', '--resume', run])],
    ['--base', () => evaluation('--base', other)],
  ];
  renameSync(BASE, kept);
  cpSync(other, BASE, { recursive: true });
  try {
    for (const [what, check] of checks) {
      const { code, stderr } = check();
      assert.equal(code, 1, what);
      assert.match(
        stderr,
        /these are not the weights beside which the adapter .* was trained \(fingerprint \w{16} /,
        what,
      );
    }
    assert.equal(evaluation('--base', kept).code, 0);
  } finally {
    rmSync(BASE, { recursive: true });
    renameSync(kept, BASE);
  }
});

test('an arm that starts later has the base of the others', () =>
  inTemporaryFolder((place) => {
    const [path, moved] = [join(place, 'run'), join(place, 'moved')];
    cpSync(BASE, moved, { recursive: true });
    const settings = ['--set=warmup.steps=0', '--set=train.steps=1', '--set=model.lora={rank: 2}'];
    const made = exitRl([...TINY, '--set=model.decoder=null', `--set=model.path=${moved}`, ...settings, '--out', path]);
    assert.equal(made.code, 0, made.stderr);
    rmSync(join(path, 'improve', 'checkpoints'), { recursive: true });
    rmSync(join(path, 'improve', 'evaluation.json'));
    cpSync(join(base, 'checkpoints', 'step-000009'), moved, { recursive: true });
    assert.match(exitRl(['train', '--resume', path]).stderr, /moved: these are not the weights beside which/);
    assert.equal(exitRl(['train', '--resume', path, '--base', BASE]).code, 0);
  }));
