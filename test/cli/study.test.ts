// A tiny study from start to end: killed, interrupted, resumed, read again, refused.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitRl, exitRlWithSignal, inTemporaryFolder, TINY } from '../support/cli.ts';

/** The settings of a tiny run, but those a study makes itself. */
const SET = TINY.filter((option) => option.startsWith('--set=') && !option.includes('evaluation.final='));
const STUDY = [
  'study',
  '--environments',
  'codebreak',
  '--strategies',
  'grpo,improve',
  '--seeds',
  '2',
  '--k',
  '0,4',
  ...SET,
];

const results = (out: string): string => readFileSync(join(out, 'study.json'), 'utf8');

test(
  'a study that is killed and interrupted ends with the same results as one that was left alone',
  {
    timeout: 300_000,
  },
  () =>
    inTemporaryFolder(async (folder) => {
      const [reference, out] = [join(folder, 'reference'), join(folder, 'study')];
      const whole = exitRl([...STUDY, '--out', reference, '--jobs', '2']);
      assert.equal(whole.code, 0, whole.stderr);
      assert.match(whole.stdout, /\| codebreak +\| improve +\| +\d\.\d{3} ± \d\.\d{3} \|/);
      assert.deepEqual(readdirSync(reference).sort(), ['codebreak', 'codebreak.svg', 'study.json', 'study.md']);

      // Killed in the middle of the second run.
      const killed = await exitRlWithSignal([...STUDY, '--out', out], 'SIGKILL', /seed 2: grpo/);
      assert.ok(killed.signalled && !existsSync(join(out, 'study.json')));
      const first = join(out, 'codebreak', 'seed-1', 'results.json');
      const finished = statSync(first).mtimeMs;

      // Ctrl-C in the resumed one: its run saves and ends. It may be over before the signal comes.
      const stopped = await exitRlWithSignal([...STUDY, '--out', out], 'SIGINT', /seed 2: /);
      assert.match(stopped.stderr, /codebreak seed 1: finished before/);
      if (stopped.code !== 0) {
        assert.equal(stopped.code, 130, stopped.stderr);
        assert.match(stopped.stderr, /the same command goes on where it stopped/);
      }

      const resumed = exitRl([...STUDY, '--out', out, '--json']);
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.equal(statSync(first).mtimeMs, finished, 'a finished run is left alone');
      assert.equal(results(out), results(reference));
      assert.deepEqual(JSON.parse(resumed.stdout), JSON.parse(results(out)));
      assert.ok(!readdirSync(out).includes('run.lock'));

      // More seeds are added to what there is; a run made otherwise is refused.
      const more = exitRl([...STUDY.map((option) => (option === '2' ? '3' : option)), '--out', out, '--json']);
      assert.equal(more.code, 0, more.stderr);
      assert.equal(more.stderr.match(/finished before/g)?.length, 2);
      assert.deepEqual(JSON.parse(more.stdout).environments[0].seeds, [1, 2, 3]);
      const other = exitRl([...STUDY, '--set=train.steps=13', '--out', out]);
      assert.equal(other.code, 2);
      assert.match(other.stderr, /seed-1 was made with train\.steps = 12, now it would be 13; .* choose another --out/);
    }),
);

test('a run that fails ends the study with what it said and what to do', () =>
  inTemporaryFolder(async (folder) => {
    const out = join(folder, 'study');
    const begun = await exitRlWithSignal([...STUDY, '--out', out], 'SIGKILL', /seed 1: improve/);
    assert.ok(begun.signalled);
    const run = join(out, 'codebreak', 'seed-1');
    rmSync(join(run, 'results.json'), { force: true });
    rmSync(join(run, 'grpo', 'metrics.jsonl'));
    const { code, stderr } = exitRl([...STUDY, '--out', out]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the run .*seed-1 ended with exit code 1; put it right and give the same command again/);
    assert.match(stderr, /metrics\.jsonl is shorter/);
  }));

const CASES: readonly (readonly [readonly string[], RegExp])[] = [
  [['study'], /give --environments, separated by commas; there are: .*codebreak/],
  [['study', '--environments', 'codebrek'], /unknown preset "codebrek" \(did you mean "codebreak"\?\)/],
  [['study', '--environments', 'codebreak', '--strategies', 'improv'], /unknown strategy "improv" \(did you mean/],
  [['study', '--environments', 'codebreak', '--seeds', '0'], /--seeds 0: expected a whole number of at least 1/],
  [['study', '--environments', 'codebreak', '--jobs', '0'], /--jobs 0: expected a whole number of at least 1/],
  [['study', '--environments', 'codebreak', '--set', 'train.steps=x'], /--set train\.steps=x: train\.steps: expected/],
];

for (const [args, expected] of CASES) {
  test(`exit-rl ${args.join(' ')}`, () => {
    const { code, stderr } = exitRl(args);
    assert.match(stderr, expected);
    assert.equal(code, 2);
  });
}
