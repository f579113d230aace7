// A small run from start to end: what is on disk, what is printed, what is refused.
import assert from 'node:assert/strict';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { readBatches } from '../../lib/batch/file.ts';
import { ROLLOUT_SCHEMA } from '../../lib/batch/schema.ts';
import { stepName } from '../../lib/runs/checkpoint.ts';
import { exitRl, exitRlWithSignal, inTemporaryFolder, type Outcome, TINY } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
const run = join(folder, 'run');
let outcome: Outcome;

before(() => {
  outcome = exitRl([...TINY, '--out', run]);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const lines = (path: string): Record<string, number>[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);

test('training prints the curves of the warm-up and both strategies, and the levels', () => {
  assert.equal(outcome.code, 0, outcome.stderr);
  for (const word of ['warm-up', 'grpo', 'improve', 'chance: 0.100', 'copy of the hint: 0.460']) {
    assert.ok(outcome.stdout.includes(word), outcome.stdout);
  }
  assert.match(outcome.stderr, /improve 12\/12 .* held-out @4 .* left/);
});

test('the run folder holds configuration, facts, metrics, rollouts and checkpoints of every arm', () => {
  assert.deepEqual(readdirSync(run).sort(), [
    'config.yaml',
    'environment.json',
    'grpo',
    'improve',
    'results.json',
    'warmup',
  ]);
  assert.deepEqual(
    lines(join(run, 'warmup', 'metrics.jsonl')).map(({ step }) => step),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  for (const arm of ['grpo', 'improve']) {
    const steps = lines(join(run, arm, 'metrics.jsonl'));
    assert.deepEqual(
      steps.map(({ step }) => step),
      Array.from({ length: 13 }, (_, i) => i),
    );
    assert.ok(
      steps.slice(1).every((step) => step['mismatch'] === 0),
      'the sampler and the update agree bit for bit',
    );
    assert.deepEqual(readdirSync(join(run, arm, 'checkpoints')).sort(), ['step-000009', 'step-000012']);
    const table = readBatches(join(run, arm, 'rollouts', 'step-000012.arrow'));
    assert.equal(table.numRows, 24);
    assert.deepEqual(table.schema.names, ROLLOUT_SCHEMA.names);
  }
  assert.ok(lines(join(run, 'improve', 'metrics.jsonl')).some((step) => step['depth']! > 0));
});

test('resuming a finished run prints the same and changes nothing', () => {
  const again = exitRl(['train', '--resume', run]);
  assert.equal(again.code, 0, again.stderr);
  const table = (text: string): string => text.split('\n').slice(0, 5).join('\n');
  assert.equal(table(again.stdout), table(outcome.stdout));
});

test('eval takes a run, an arm or a checkpoint, and any k', () => {
  const all = JSON.parse(exitRl(['eval', run, '--k', '0,3', '--instances', '8', '--json']).stdout);
  assert.deepEqual(Object.keys(all), ['warm-up', 'grpo', 'improve']);
  assert.deepEqual(
    all.improve.points.map((point: { k: number }) => point.k),
    [0, 3],
  );
  const arm = JSON.parse(exitRl(['eval', join(run, 'improve'), '--k', '0,3', '--instances', '8', '--json']).stdout);
  assert.deepEqual(arm.improve, all.improve);
  const checkpoint = join(run, 'improve', 'checkpoints', 'step-000012');
  const one = JSON.parse(exitRl(['eval', checkpoint, '--k', '0,3', '--instances', '8', '--json']).stdout);
  assert.deepEqual(one.improve, all.improve);
  assert.match(exitRl(['eval', run, '--step', '7']).stderr, /no checkpoint of step 7; usable steps: .*9, 12/);
});

test('eval averages samples, revises selectively and prints intervals', () => {
  const arm = join(run, 'improve');
  const options = ['--k', '0,2', '--instances', '8', '--samples', '3'];
  const text = exitRl(['eval', arm, ...options]).stdout;
  assert.match(text, /^improve\nk +quality +delta +solved/);
  assert.match(text, /\n2 +0\.\d{3} \[0\.\d{3}, 0\.\d{3}\]/);
  assert.match(text, /8 held-out instances x 3 samples/);
  const never = JSON.parse(
    exitRl(['eval', arm, ...options, '--revise', 'selective', '--revise-below=-1000', '--json']).stdout,
  );
  assert.deepEqual([never.improve.points[1].revisions, never.improve.points[1].delta], [0, 0]);
  const greedy = exitRl(['eval', arm, '--temperature', '0', '--samples', '2']);
  assert.deepEqual([greedy.code, /sampling is greedy and all would be the same/.test(greedy.stderr)], [2, true]);
});

test('eval of a run that has no checkpoint says how to get one', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'run');
    mkdirSync(path);
    copyFileSync(join(run, 'config.yaml'), join(path, 'config.yaml'));
    const { code, stderr } = exitRl(['eval', path]);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`has no checkpoint yet; train it first: exit-rl train --resume ${path}`), stderr);
    mkdirSync(join(path, 'improve'));
    copyFileSync(join(run, 'improve', 'config.yaml'), join(path, 'improve', 'config.yaml'));
    assert.ok(exitRl(['eval', join(path, 'improve')]).stderr.includes(`--resume ${path}\n`));
  }));

test('sample shows attempts and feedback', () => {
  const { stdout, code } = exitRl(['sample', join(run, 'improve'), '--k', '2']);
  assert.equal(code, 0);
  assert.match(stdout, /^improve, held-out instance 0\nrequest .*\nk = 0 .*\nk = 1 .*\nk = 2 .*\n$/);
});

test('sample plays whole episodes: what stands in a turn is what the next one builds on', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'run');
    const clerk = [...TINY.map((option) => option.replace('codebreak', 'clerk')), '--strategy', 'improve'];
    assert.equal(exitRl([...clerk, '--set=train.steps=1', '--out', path]).code, 0);
    const { stdout, code } = exitRl(['sample', path, '--k', '2', '--instance', '3']);
    assert.equal(code, 0);
    const turns = stdout.split(/^turn \d of 3$/m);
    assert.equal(turns.length, 4, stdout);
    for (const text of turns.slice(1)) assert.match(text, /^\nrequest .*\nk = 0 .*\nk = 1 .*\nk = 2 .*\n/);
    const attempts = exitRl(['sample', path, '--k', '2', '--instance', '3', '--json'])
      .stdout.trim()
      .split('\n')
      .map(
        (line) => JSON.parse(line) as { turn: number; k: number; request: string; feedback: string; quality: number },
      );
    assert.deepEqual(
      attempts.map(({ turn, k }) => [turn, k]),
      [0, 1, 2].flatMap((turn) => [0, 1, 2].map((k) => [turn, k])),
    );
    const last = attempts.filter(({ k }) => k === 2);
    const mean = last.reduce((sum, { quality }) => sum + quality, 0) / 3;
    assert.ok(stdout.endsWith(`\nthe episode: ${mean.toFixed(3)}\n`), stdout);
    // The ledger that the last answer left is the beginning of the next request's.
    for (const turn of [1, 2]) {
      const digits = last[turn - 1]!.feedback.split(' ').slice(0, 4).join(' ');
      assert.ok(last[turn]!.request.includes(digits), `${last[turn]!.request} after ${digits}`);
    }
  }));

test('a new run does not write over an old one', () => {
  const { code, stderr } = exitRl([...TINY, '--out', run]);
  assert.equal(code, 2);
  assert.match(stderr, /already holds a run; go on with --resume/);
});

test('a checkpoint cut short is skipped for the one before it', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'run');
    assert.equal(exitRl([...TINY, '--strategy', 'improve', '--out', path]).code, 0);
    const expected = readFileSync(join(path, 'metrics.jsonl'), 'utf8');
    truncateSync(join(path, 'checkpoints', 'step-000012', 'optimizer.safetensors'), 100);
    const { code, stderr } = exitRl(['train', '--resume', path]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /skipping the checkpoint .*step-000012: optimizer\.safetensors has 100 bytes/);
    assert.equal(readFileSync(join(path, 'metrics.jsonl'), 'utf8'), expected);
  }));

test('a checkpoint whose curriculum is damaged is named, and what to do', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'run');
    cpSync(join(run, 'improve'), path, { recursive: true });
    cpSync(join(run, 'warmup'), join(path, 'warmup'), { recursive: true });
    const checkpoint = join(path, 'checkpoints', 'step-000012');
    const file = join(checkpoint, 'curriculum.arrow');
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(file, bytes);
    const { code, stderr } = exitRl(['train', '--resume', path]);
    assert.equal(code, 1);
    assert.match(stderr, /curriculum\.arrow is damaged .*; delete .*step-000012 to go on from the checkpoint before/);
    rmSync(checkpoint, { recursive: true });
    assert.equal(exitRl(['train', '--resume', path]).code, 0);
    const metrics = 'metrics.jsonl';
    assert.equal(readFileSync(join(path, metrics), 'utf8'), readFileSync(join(run, 'improve', metrics), 'utf8'));
  }));

test('every line of metrics.jsonl says on how many instances and start points the arm has been trained', () => {
  for (const arm of ['grpo', 'improve']) {
    const steps = lines(join(run, arm, 'metrics.jsonl'));
    const counted = steps.map((step) => [step['trainedInstances']!, step['trainedStarts']!] as const);
    assert.deepEqual(counted[0], [0, 0]);
    const table = steps.slice(1).map(({ step }) => readBatches(join(run, arm, 'rollouts', `${stepName(step!)}.arrow`)));
    const seen = new Set<number>();
    for (const [i, batch] of table.entries()) {
      for (const instance of batch.getChild('instance')!) seen.add(instance as number);
      assert.equal(counted[i + 1]![0], seen.size);
    }
    assert.ok(counted.every(([instances, starts]) => starts >= instances && starts <= 12 * 6));
    assert.equal(counted.at(-1)![1] > counted.at(-1)![0], arm === 'improve');
  }
});

test('a second process is kept out of a run', () =>
  inTemporaryFolder(async (other) => {
    const path = join(other, 'run');
    const first = exitRlWithSignal(
      [...TINY, '--set=train.steps=1000', '--out', path],
      'SIGKILL',
      /grpo \d+\/1000[\s\S]*grpo/,
    );
    while (!existsSync(join(path, 'warmup', 'metrics.jsonl'))) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = exitRl(['train', '--resume', path]);
    assert.equal(second.code, 1);
    assert.match(second.stderr, /is in use by process \d+/);
    await first;
  }));

test('a run folder that cannot be made is named', () =>
  inTemporaryFolder((other) => {
    writeFileSync(join(other, 'file'), '');
    const { code, stderr } = exitRl([...TINY, '--out', join(other, 'file', 'run')]);
    assert.equal(code, 1);
    assert.match(stderr, /cannot create the folder .*run/);
  }));

test('--dry-run prints the configuration and the memory, and leaves no run', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'run');
    const { code, stdout, stderr } = exitRl([...TINY, '--out', path, '--dry-run', '--json']);
    assert.equal(code, 0, stderr);
    const { config, memory, parameterCount } = JSON.parse(stdout);
    assert.equal(config.rollout.groups, 6);
    assert.ok(memory.total > 0 && parameterCount > 0);
    assert.equal(existsSync(path), false);
  }));
