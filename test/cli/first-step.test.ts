// Runs that cannot make their first step: they leave nothing that stands in the way of the next try, and nothing of others.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitRl, inTemporaryFolder, TINY } from '../support/cli.ts';
import { checkpointPath } from '../support/golden.ts';

const SHORT = ['--set=warmup.steps=0', '--set=train.steps=1', '--strategy=grpo', '--set=evaluation.every=0'];
const onModel = (path: string): string[] => ['--set=model.decoder=null', `--set=model.path=${path}`];

test('the same --out can be given again, after the model has refused a setting', () =>
  inTemporaryFolder((folder) => {
    const out = join(folder, 'runs', 'a', 'run');
    const lora = (targets: string) => [
      ...TINY,
      ...SHORT,
      ...onModel(checkpointPath('llama')),
      `--set=model.lora={targets: [${targets}]}`,
    ];
    const refused = exitRl([...lora('query'), '--out', out]);
    assert.deepEqual([refused.code, /targets has "query"/.test(refused.stderr)], [2, true], refused.stderr);
    assert.deepEqual(readdirSync(folder), [], 'not even the folders around it');
    const again = exitRl([...lora('q_proj'), '--out', out]);
    assert.equal(again.code, 0, again.stderr);
    // A run that has made steps stays, whatever happens then.
    assert.match(exitRl([...lora('q_proj'), '--out', out]).stderr, /already holds a run/);
    assert.ok(existsSync(join(out, 'results.json')));
  }));

test('what fails in the first step itself leaves nothing either, arms included', () =>
  inTemporaryFolder((folder) => {
    const out = join(folder, 'run');
    const { code, stderr } = exitRl([
      ...TINY,
      ...['--set=warmup.steps=0', '--set=rollout.pages=1'],
      ...['--set=strategies=[grpo, improve]', '--set=evaluation={every: 0, final: [0]}'],
      ...['--out', out],
    ]);
    assert.notEqual(code, 0);
    assert.match(stderr, /cache pages/);
    assert.equal(existsSync(out), false);
  }));

test('a folder that was there stays, with what was in it', () =>
  inTemporaryFolder((folder) => {
    writeFileSync(join(folder, 'notes.txt'), 'mine');
    mkdirSync(join(folder, 'grpo'));
    writeFileSync(join(folder, 'grpo', 'notes.txt'), 'mine, too');
    const vocabulary = [...TINY, ...onModel(checkpointPath('llama')), '--set=model.lora={layers: [9]}'];
    assert.match(exitRl([...vocabulary, '--out', folder]).stderr, /layers has 9/);
    assert.deepEqual(readdirSync(folder).sort(), ['grpo', 'notes.txt']);
    assert.equal(readFileSync(join(folder, 'grpo', 'notes.txt'), 'utf8'), 'mine, too');
  }));

test('the supervised stage does the same', () =>
  inTemporaryFolder((folder) => {
    const [data, out] = [join(folder, 'data.jsonl'), join(folder, 'sft')];
    writeFileSync(data, `${JSON.stringify({ prompt: 'x', answer: 'y'.repeat(40) })}\n`.repeat(4));
    const model = '--set=model.decoder={width: 16, layers: 1, heads: 2, feedForward: 16}';
    const refused = exitRl(['sft', data, model, '--set=data.maxTokens=20', '--out', out]);
    assert.match(refused.stderr, /data\.jsonl:\d: \d+ tokens, more than data\.maxTokens 20/);
    assert.equal(existsSync(out), false);
    const again = exitRl(['sft', data, model, '--out', out]);
    assert.equal(again.code, 0, again.stderr);
  }));
