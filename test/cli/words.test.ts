// Text from end to end: a supervised stage on a tokenizer of bytes, training on its model, evaluation, export, and the export
// used again; what is said on the way about wrong input.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { garble } from '../../lib/environments/garble.ts';
import { Random } from '../../lib/rng.ts';
import { byteChat, chatCodec } from '../../lib/text/codec.ts';
import { exitRl } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const [data, sft, run, out] = ['data.jsonl', 'sft', 'run', 'out'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
  string,
];
const MODEL = '--set=model.decoder={width: 32, layers: 1, heads: 2, feedForward: 48}';

test('sft, train, eval, export and back again', { timeout: 600_000 }, () => {
  const codec = chatCodec(byteChat());
  const environment = garble.create(garble.settings.parse({ name: 'garble', length: 4 }), codec);
  const random = new Random(1, 'words');
  const rows = Array.from({ length: 300 }, () => {
    const { prompt, answer } = environment.demonstration(random)!;
    return JSON.stringify({ prompt: environment.show(prompt), answer: environment.show(answer) });
  });
  writeFileSync(data, rows.join('\n'));
  const settings = [
    '--set=data.maxTokens=64',
    '--set=train.epochs=6',
    '--set=train.batchTokens=512',
    '--set=optimizer.lr=0.005',
  ];
  const taught = exitRl(['sft', data, MODEL, ...settings, '--out', sft, '--json']);
  assert.equal(taught.code, 0, taught.stderr);
  const { model, heldOutLoss, steps } = JSON.parse(taught.stdout) as {
    model: string;
    heldOutLoss: number;
    steps: number;
  };
  const losses = readFileSync(join(sft, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).loss as number);
  assert.equal(losses.length, steps);
  assert.ok(heldOutLoss < losses[0]! / 2, `${heldOutLoss} after ${losses[0]}`);
  assert.match(exitRl(['sft', data, MODEL, ...settings, '--out', sft]).stderr, /already holds a run/);

  const small = [
    '--preset=garble',
    '--strategy=improve',
    '--set=environment.length=4',
    '--set=model.decoder=null',
    '--set=warmup.steps=0',
  ];
  const sizes = [
    '--set=rollout={groups: 4, groupSize: 4}',
    '--set=train.steps=3',
    '--set=curriculum.minimum=4',
    '--set=evaluation={final: [0, 2], finalInstances: 16, during: [0], instances: 4, every: 2}',
  ];
  const trained = exitRl(['train', ...small, ...sizes, `--set=model.path=${model}`, '--out', run]);
  assert.equal(trained.code, 0, trained.stderr);
  const metrics = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').slice(1);
  assert.ok(metrics.every((line) => JSON.parse(line).mismatch === 0));

  const evaluated = exitRl(['eval', run, '--k', '0,2', '--instances', '16', '--json']);
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const exported = exitRl(['export', run, out]);
  assert.equal(exported.code, 0, exported.stderr);
  const files = [
    'config.json',
    'generation_config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
  ];
  assert.deepEqual(readdirSync(out).sort(), files);
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    assert.equal(readFileSync(join(out, name), 'utf8'), readFileSync(join(model, name), 'utf8'));
  }
  const again = exitRl([
    'train',
    ...small,
    ...sizes,
    `--set=model.path=${out}`,
    '--set=train.steps=1',
    '--out',
    join(folder, 'again'),
  ]);
  assert.equal(again.code, 0, again.stderr);
});

test('words need a tokenizer; environments and symbols are named', () => {
  writeFileSync(join(folder, 'config.json'), '{}');
  const without = exitRl([
    'train',
    '--preset=garble',
    '--set=model.decoder=null',
    `--set=model.path=${folder}`,
    '--out',
    join(folder, 'x'),
  ]);
  assert.notEqual(without.code, 0);
  assert.match(without.stderr, /has no chat template/);
  assert.match(exitRl(['env', 'grable']).stderr, /no environment named "grable".*garble/);
});
