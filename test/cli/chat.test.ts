// exit-rl chat: how it samples, and the models it opens.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exitRl, TINY } from '../support/cli.ts';
import { checkpointPath } from '../support/golden.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
const [model, run] = [join(folder, 'model'), join(folder, 'run')];

/** The answers to two questions. */
function talk(...args: string[]): string {
  const { code, stdout, stderr } = exitRl(['chat', '--max-tokens', '24', ...args], { input: 'hello\nand now?\n' });
  assert.equal(code, 0, stderr);
  return stdout;
}

const generation = (content: object): void =>
  writeFileSync(join(model, 'generation_config.json'), JSON.stringify(content));

before(() => {
  cpSync(checkpointPath('qwen3'), model, { recursive: true });
  generation({ do_sample: true });
  const trained = exitRl([
    ...TINY,
    ...['--set=warmup.steps=0', '--set=train.steps=1', '--strategy=grpo', '--set=evaluation.every=0'],
    ...[
      '--set=model.decoder=null',
      `--set=model.path=${model}`,
      '--set=model.lora={rank: 2}',
      '--set=optimizer.lr=0.05',
    ],
    ...['--out', run],
  ]);
  assert.equal(trained.code, 0, trained.stderr);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('generation_config.json says how answers are sampled, options come before it', () => {
  generation({ do_sample: false });
  const greedy = talk(model);
  assert.equal(talk(model, '--seed', '2'), greedy);
  assert.notEqual(talk(model, '--temperature', '1', '--seed', '2'), greedy);
  generation({ do_sample: true, temperature: 1.5, top_k: 0 });
  assert.notEqual(talk(model), talk(model, '--seed', '2'));
  assert.equal(talk(model), talk(model, '--temperature', '1.5', '--top-p', '1', '--min-p', '0'));
  assert.equal(talk(model, '--temperature', '0'), greedy);
  assert.equal(talk(model, '--top-k', '1'), greedy);
  generation({ do_sample: true, top_k: 1, repetition_penalty: 5 });
  const varied = talk(model);
  assert.notEqual(varied, greedy);
  assert.equal(talk(model, '--repetition-penalty', '1'), greedy);
  generation({});
  assert.equal(talk(model), greedy);
  assert.match(exitRl(['chat', model, '--top-p', '2']).stderr, /--top-p 2: expected a number from 0 to 1/);
});

test('an adapter talks through the tokenizer of its base, wherever that is now', () => {
  const checkpoint = join(run, 'checkpoints', 'step-000001');
  const answers = talk(run, '--temperature', '0');
  assert.notEqual(answers, talk(model, '--temperature', '0'));
  assert.equal(talk(checkpoint, '--temperature', '0'), answers);
  const moved = join(folder, 'moved');
  renameSync(model, moved);
  try {
    assert.match(exitRl(['chat', run]).stderr, /which is not there; say where its folder is with --base/);
    assert.equal(talk(run, '--temperature', '0', '--base', moved), answers);
    assert.match(exitRl(['chat', run, '--base', folder]).stderr, /--base .*: no config\.json there/);
    assert.match(exitRl(['chat', moved, '--base', moved]).stderr, /holds a whole model, not an adapter/);
  } finally {
    renameSync(moved, model);
  }
});
