// The paper's three domains from folders that a user gives, with a random model of bytes: dry run, training, evaluation.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exitRl } from '../support/cli.ts';
import { writePrepared } from '../support/competitions.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => join(folder, ...names);
const jsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

let model = '';
before(() => {
  const settings = [
    '--preset=garble',
    '--set=environment={name: math, promptTokens: 4000, answerTokens: 96}',
    '--set=model.decoder={width: 32, layers: 1, heads: 2, feedForward: 48}',
    '--set=warmup.steps=0',
    '--set=rollout={groups: 2, groupSize: 2}',
    '--set=train.steps=1',
    '--set=evaluation={final: [0], finalInstances: 2, during: [0], instances: 2, every: 5}',
    '--strategy=grpo',
  ];
  const made = exitRl(['train', ...settings, '--out', at('model')]);
  assert.equal(made.code, 0, made.stderr);
  model = at('model', 'checkpoints', 'step-000001');
});

const SMALL = [
  '--set=environment.promptTokens=4000',
  '--set=environment.answerTokens=64',
  '--set=rollout={groups: 2, groupSize: 2}',
  '--set=train.steps=3',
  '--set=curriculum.minimum=2',
  '--set=evaluation={final: [0, 1], finalInstances: 2, samples: 2}',
];

/** Dry run, training and evaluation of the preset; returns the metrics of the steps. */
function runPreset(domain: string, data: string, extra: readonly string[] = []): Record<string, number | null>[] {
  const given = ['train', `--preset=paper/${domain}-exit`, '--data', data, '--model', model, ...SMALL, ...extra];
  const dry = exitRl([...given, '--dry-run', '--json']);
  assert.equal(dry.code, 0, dry.stderr);
  const { config, parameterCount, memory } = JSON.parse(dry.stdout);
  assert.deepEqual([config.environment.data, config.model.path], [data, model]);
  assert.ok(parameterCount > 10_000 && memory.total > 1e6);

  const run = at(`run-${domain}`);
  const trained = exitRl([...given, '--out', run, '--json']);
  assert.equal(trained.code, 0, trained.stderr);
  const [curve] = Object.values(JSON.parse(trained.stdout).results as Record<string, { points: unknown[] }>);
  assert.equal(curve!.points.length, 2);
  const evaluated = exitRl(['eval', run, '--k', '0,1', '--instances', '2', '--json']);
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const steps = lines.map((line) => JSON.parse(line) as Record<string, number | null>).filter((line) => 'loss' in line);
  assert.equal(steps.length, 3);
  return steps;
}

test('mathematics from a folder of JSONL files', { timeout: 300_000 }, () => {
  const problems = (from: number, count: number): unknown[] =>
    Array.from({ length: count }, (_, i) => ({
      question: `What is ${from + i} + 1?`,
      answer: `It is #### ${from + i + 1}`,
    }));
  mkdirSync(at('math'));
  writeFileSync(at('math', 'train.jsonl'), jsonl(problems(1, 12)));
  writeFileSync(at('math', 'test.jsonl'), jsonl(problems(100, 4)));
  runPreset('math', at('math'));
  const broken = at('broken');
  mkdirSync(broken);
  writeFileSync(join(broken, 'train.jsonl'), `${jsonl(problems(1, 2))}{"question": "What`);
  const refused = exitRl([
    'train',
    '--preset=paper/math-exit',
    '--data',
    broken,
    '--model',
    model,
    ...SMALL,
    '--dry-run',
  ]);
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /train\.jsonl, line 3: not valid JSON/);
});

test("multi-turn tool use from a folder in BFCL's layout", { timeout: 300_000 }, () => {
  const tasks = Array.from({ length: 6 }, (_, i) => ({
    id: `t${i}`,
    question: [[{ role: 'user', content: `Add ${i} and 2.` }], [{ role: 'user', content: 'And the mean of 1 and 3?' }]],
    ...{ initial_config: {}, involved_classes: ['MathAPI'] },
  }));
  const answers = tasks.map(({ id }, i) => ({ id, ground_truth: [[`add(a=${i}, b=2)`], ['mean(numbers=[1, 3])']] }));
  const number = { type: 'float', description: 'a number' };
  const numbers = { type: 'array', items: { type: 'float' }, description: 'numbers' };
  const documents = [
    {
      name: 'add',
      description: 'a + b',
      parameters: { type: 'dict', properties: { a: number, b: number }, required: ['a', 'b'] },
    },
    { name: 'mean', description: 'mean', parameters: { type: 'dict', properties: { numbers }, required: ['numbers'] } },
  ];
  mkdirSync(at('tools', 'func_doc'), { recursive: true });
  writeFileSync(at('tools', 'multi_turn_base.jsonl'), jsonl(tasks));
  writeFileSync(at('tools', 'multi_turn_base_answers.jsonl'), jsonl(answers));
  writeFileSync(at('tools', 'func_doc', 'math_api.json'), jsonl(documents));
  const steps = runPreset('tool-use', at('tools'), ['--set=environment.trainTurns=3', '--set=environment.testTurns=4']);
  // A random model never ends an answer as it should, so the filter leaves nothing to learn from.
  assert.ok(steps.every(({ gradNorm }) => gradNorm === 0));
});

test("machine-learning engineering from a folder in MLE-bench's layout", { timeout: 300_000 }, () => {
  for (const id of ['first', 'second', 'third', 'fourth']) {
    const [answers, sample] = ['id,y\n1,3\n2,5\n', 'id,y\n1,0\n2,0\n'];
    writePrepared(at('competitions'), { id, grader: 'rmse', answers, sample, leaderboard: 'score\n0.1\n0.5\n1\n2\n' });
  }
  runPreset('ml-engineering', at('competitions'), ['--set=environment.language=javascript']);
});

test('folders that are not there, and models that are too short, are said before anything begins', () => {
  const given = ['train', '--preset=paper/tool-use-exit', '--dry-run', ...SMALL];
  const noModel = exitRl([...given, '--model', at('nowhere')]);
  assert.equal(noModel.code, 2);
  assert.match(noModel.stderr, /nowhere: no config\.json there/);
  const noData = exitRl([...given, '--model', model, '--data', at('nowhere')]);
  assert.equal(noData.code, 1);
  assert.match(noData.stderr, /nowhere has no tasks/);
  const tooLong = exitRl([...given, '--model', model, '--set=environment.promptTokens=5000']);
  assert.equal(tooLong.code, 2);
  assert.match(tooLong.stderr, /has 4096 positions, environment tool_use needs 5064/);
  const noSetting = exitRl(['train', '--preset=codebreak', '--data', folder, '--dry-run']);
  assert.equal(noSetting.code, 2);
  assert.match(noSetting.stderr, /unknown key "environment\.data"/);
});
