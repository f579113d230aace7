// Programs that are tried, what they are told, and greedy search over them. The programs run in the WebAssembly sandbox.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { feedback } from '../../lib/engineering/feedback.ts';
import { generate } from '../../lib/engineering/generated/generate.ts';
import { openGenerated } from '../../lib/engineering/generated/open.ts';
import { generatedSettings } from '../../lib/engineering/generated/settings.ts';
import { greedySearch, type Policy, type SearchRequest } from '../../lib/engineering/search.ts';
import { tryProgram } from '../../lib/engineering/trial.ts';
import { SandboxError } from '../../lib/sandbox/error.ts';
import { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { withoutBubblewrap } from '../support/sandboxes.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const settings = generatedSettings.parse({
  family: 'regression',
  rows: 300,
  testRows: 200,
  entries: 60,
  noise: 0.1,
  interactions: 1,
});
const competition = openGenerated(settings, 11, folder);
const sandbox = new Sandbox({ backend: 'webassembly', limits: { seconds: 30, memoryBytes: 64 * 2 ** 20 } });
after(() => sandbox.close());

/** Reads the tables; what follows sets `predict`. */
const READ = `
const table = (name) => readFile(name).trim().split('\\n').map((line) => line.split(','));
const [head, ...train] = table('train.csv'), [, ...test] = table('test.csv');
const d = head.length - 1, y = train.map((row) => +row[d]);
const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
`;
const WRITE = `
writeFile('submission.csv', 'id,y\\n' + test.map((row) => row[0] + ',' + predict(row)).join('\\n') + '\\n');
print('rows ' + test.length);
`;
const CONSTANT = `${READ} const m = mean(y); const predict = () => m; ${WRITE}`;
/** Ridge regression by gradient steps on one coordinate at a time. */
const ridge = (steps: number): string => `${READ}
const features = (row) => row.slice(1, 1 + d - 1).flatMap((cell, i) => /^[a-z]+$/.test(cell)
  ? ['birch', 'coral', 'dune', 'ember'].map((level) => +(cell === level)) : [cell === '' ? null : +cell]);
const X = train.map(features), k = X[0].length;
const centre = Array.from({ length: k }, (_, j) => mean(X.map((r) => r[j]).filter((v) => v !== null)));
const scale = centre.map((c, j) => Math.sqrt(mean(X.map((r) => r[j] === null ? 0 : (r[j] - c) ** 2))) || 1);
const standard = (r) => r.map((v, j) => v === null ? 0 : (v - centre[j]) / scale[j]);
const Z = X.map(standard), m = mean(y), w = new Array(k).fill(0), left = y.map((v) => v - m);
for (let s = 0; s < ${steps}; s++) for (let j = 0; j < k; j++) {
  const step = mean(Z.map((r, i) => r[j] * left[i])) / (1 + 1e-3);
  w[j] += step; Z.forEach((r, i) => { left[i] -= step * r[j]; });
}
const predict = (row) => m + standard(features(row)).reduce((sum, v, j) => sum + v * w[j], 0);
${WRITE}`;

describe('trials', () => {
  const attempt = (source: string, limits = {}): ReturnType<typeof tryProgram> =>
    tryProgram(competition, { language: 'javascript', source }, { sandbox, limits });

  test('a program that works has scores, and is told the one that may be shown', async () => {
    const trial = await attempt(ridge(10));
    assert.equal(trial.problem, null);
    assert.ok(trial.grade?.valid && trial.shown > 0.2 && trial.final > 0.2, JSON.stringify(trial));
    const text = feedback(competition, trial);
    assert.match(text, /^Validation score: [\d.]+ \(lower is better\)\.\nOutput:\nrows 200$/);
    assert.ok(!text.includes(String(trial.grade.final).slice(0, 6)));
  });

  for (const [name, source, problem] of [
    ['no submission', 'print(1)', /wrote no submission\.csv/],
    ['an error after the submission', `${CONSTANT} nope();`, /ended with an error \(exit code 1\)[\s\S]*nope/],
    ['a submission with NaN', `${READ} const predict = () => NaN; ${WRITE}`, /not a finite number: "NaN"/],
    ['a submission of the wrong rows', 'writeFile("submission.csv", "id,y\\n1,1\\n")', /nobody asked for id "1"/],
    ['half a submission', `${READ} test.splice(50); const predict = () => 0; ${WRITE}`, /150 of 200 rows are missing/],
    ['an endless loop', 'for (;;);', /stopped: it ran longer than 0\.5 s/],
    ['too much output', 'for (;;) print("x".repeat(1e4));', /printed more than it may/],
  ] as const) {
    test(`${name} has no score, but a reason`, async () => {
      const trial = await attempt(source, source === 'for (;;);' ? { seconds: 0.5 } : {});
      assert.deepEqual([trial.shown, trial.final], [0, 0]);
      const text = feedback(competition, trial);
      assert.match(text, /^Failed: /);
      assert.match(text, problem);
    });
  }

  test('the end of a long trace is kept', async () => {
    const trial = await attempt('for (let i = 0; i < 900; i++) print("line " + i); throw new Error("the cause");');
    const text = feedback(competition, trial, { tail: 200 });
    assert.ok(text.length < 600, text);
    assert.match(text, /line 899/);
    assert.match(text, /the cause/);
  });

  test('answers are not in what a program can read', async () => {
    const { answers, final } = generate(settings, 11);
    assert.ok(final.length > 0 && answers.ids.length === 200);
    const { run } = await attempt(
      'for (const name of listFiles()) print(name, Object.keys(readFile(name)).length > 0);',
    );
    assert.deepEqual(
      run!.stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
      [...['description.md', 'sample_submission.csv', 'test.csv', 'train.csv']],
    );
    const test = readFileSync(path.join(competition.data, 'test.csv'), 'utf8');
    assert.ok(!test.split('\n')[0]!.split(',').includes('y'));
  });

  test('a sandbox that fails is an error, never a score', async () => {
    const gone = { ...competition, data: '/no/such/folder' };
    await assert.rejects(tryProgram(gone, { language: 'javascript', source: CONSTANT }, { sandbox }), SandboxError);
  });
});

/** Answers with the given programs in turn, and writes down what it was asked. */
function scripted(programs: readonly (string | null)[]): { policy: Policy; asked: SearchRequest[] } {
  const asked: SearchRequest[] = [];
  const policy: Policy = async (request) => {
    asked.push(request);
    const source = programs[request.step]!;
    return source === null ? { problem: 'there is no program in the answer' } : { language: 'javascript', source };
  };
  return { policy, asked };
}

describe('greedy search', () => {
  test('improves on the best, repairs what fails, keeps what is better', async () => {
    const programs = [CONSTANT, ridge(1), ridge(1).replace('Math.sqrt', 'Math.sqroot'), ridge(30), null, CONSTANT];
    const { policy, asked } = scripted(programs);
    const { nodes, best, curve } = await greedySearch(competition, policy, { sandbox, steps: programs.length });
    assert.deepEqual(
      nodes.map(({ kind }) => kind),
      ['draft', 'improve', 'improve', 'debug', 'improve', 'improve'],
    );
    assert.deepEqual(
      nodes.map(({ parent }) => parent?.index ?? null),
      [null, 0, 1, 2, 3, 3],
    );
    assert.match(asked[3]!.previous!.feedback, /Failed: [\s\S]*(not a function|sqroot)/);
    assert.equal(best!.index, 3);
    assert.ok(
      curve.every((value, i) => i === 0 || value >= curve[i - 1]! - 0.02),
      `${curve}`,
    );
    assert.ok(curve[0]! < 0.05 && curve.at(-1)! > curve[0]! + 0.3, `${curve}`);
    assert.equal(curve.at(-1), best!.trial.final);
    // More than guessing, among the entries of the reference solvers.
    const grade = best!.trial.grade!;
    assert.ok(grade.valid && competition.leaderboard!.percentile(grade.final) > 0.3);
  });

  test('several drafts first; repairs are given up after a while', async () => {
    const programs = [CONSTANT, 'nope()', 'nope()', 'nope()', ridge(1), CONSTANT];
    const { policy } = scripted(programs);
    const { nodes } = await greedySearch(competition, policy, {
      sandbox,
      steps: programs.length,
      drafts: 3,
      debugDepth: 2,
    });
    assert.deepEqual(
      nodes.map(({ kind, debugDepth }) => `${kind} ${debugDepth}`),
      [...['draft 0', 'draft 0', 'debug 1', 'debug 2', 'draft 0', 'improve 0']],
    );
  });

  test('without a program that works there is no best', async () => {
    const { policy } = scripted([null, 'nope()', null]);
    const { nodes, best, curve } = await greedySearch(competition, policy, { sandbox, steps: 3, debugDepth: 0 });
    assert.deepEqual(
      nodes.map(({ kind }) => kind),
      ['draft', 'draft', 'draft'],
    );
    assert.deepEqual([best, curve], [null, [0, 0, 0]]);
  });

  test('a signal ends it', async () => {
    const stop = new AbortController();
    const { policy } = scripted(['for (;;);', CONSTANT]);
    const search = greedySearch(competition, policy, { sandbox, steps: 2, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('enough')), 100);
    await assert.rejects(search, /enough/);
  });
});

const skip = await withoutBubblewrap('python');

test('a Python program solves a made competition', { skip }, async () => {
  const python = new Sandbox({ backend: 'bubblewrap' });
  const source = `
import csv, os
data = os.environ["DATA_DIR"]
rows = list(csv.DictReader(open(data + "/train.csv")))
levels = {}
for row in rows: levels.setdefault(row["c1"], []).append(float(row["y"]))
with open("submission.csv", "w") as out:
    print("id,y", file=out)
    for row in csv.DictReader(open(data + "/test.csv")):
        values = levels[row["c1"]]
        print(row["id"], sum(values) / len(values), sep=",", file=out)
`;
  const trial = await tryProgram(competition, { language: 'python', source }, { sandbox: python });
  assert.equal(trial.problem, null);
  assert.ok(trial.grade?.valid);
  // Programs look for answers where they might be: none of the answers' folders exists for them.
  const seeking = `
import os
for folder, _, names in os.walk("/"):
    if folder.startswith(("/proc", "/usr", "/bin", "/lib", "/sbin")): continue
    for name in names: print(folder + "/" + name)
`;
  const { stdout } = await python.run({ language: 'python', source: seeking, data: competition.data });
  const seen = stdout
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('/dev/') && !line.startsWith('/etc/'));
  assert.deepEqual(seen.sort(), [
    ...['/data/description.md', '/data/sample_submission.csv', '/data/test.csv', '/data/train.csv'],
    ...['/program/main.py', '/program/prelude.cjs'],
  ]);
  python.close();
});
