// Wrong command lines and configurations: exit code 2 and a message that helps, before anything is computed.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitRl, inTemporaryFolder } from '../support/cli.ts';

const PRESET = ['train', '--preset', 'codebreak'];

const CASES: readonly (readonly [readonly string[], RegExp])[] = [
  [[], /say what to do/],
  [['tran'], /Did you mean train\?/],
  [['train'], /give --config FILE or --preset NAME \(presets: .*codebreak/],
  [['train', '--preset', 'codebrek'], /unknown preset "codebrek" \(did you mean "codebreak"\?\)/],
  [['train', '--preset'], /Not enough arguments following: preset/],
  [['train', '--config', 'no-such.yaml'], /cannot read the configuration no-such\.yaml/],
  [[...PRESET, '--st', 'a=1'], /unknown option --st \(did you mean "set"\?\)/],
  [[...PRESET, '--set', 'train.steps=abc'], /--set train\.steps=abc: train\.steps: expected number, got "abc"/],
  [[...PRESET, '--strategy', 'improv'], /did you mean "improve"/],
  [
    [...PRESET, '--set', 'model.decoder=null', '--set', 'model.path=nowhere'],
    /model\.path nowhere: no config\.json there/,
  ],
  [['train', '--resume', 'no-such-run'], /there is no run no-such-run/],
  [['train', '--resume', '.', '--set', 'seed=2'], /drop --set/],
  [['eval', 'no-such-run'], /there is no run no-such-run/],
  [['eval', '.', '--k', '1,x'], /--k x: expected a whole number/],
  [['eval', '.', '--instances', '0'], /--instances 0: expected a whole number of at least 1/],
  [['eval', '.', '--k', '1', '--k', '2'], /exit-rl eval: --k is given more than once/],
  [['eval', '.', '--samples', '0'], /--samples 0: expected a whole number of at least 1/],
  [
    ['eval', '.', '--revise', 'selectiv'],
    /--revise selectiv: expected always or selective \(did you mean "selective"\?\)/,
  ],
  [['eval', '.', '--revise', 'selective', '--revise-below', '0.5'], /--revise-below 0\.5: expected .* at most 0/],
  [['serve'], /Missing required argument: environment/],
  [['serve', '--environment', 'srt'], /no environment named "srt" \(did you mean "sort"\?\)/],
  [['serve', '--environment', 'sort', '--sessions', '0'], /--sessions 0: expected a whole number of at least 1/],
  [['sample', '.', '--temperature', '-1'], /--temperature -1: expected a number of at least 0/],
];

for (const [args, expected] of CASES) {
  test(`exit-rl ${args.join(' ')}`, () => {
    const { code, stderr, stdout } = exitRl(args);
    assert.match(stderr, expected);
    assert.equal(code, 2);
    assert.equal(stdout, '');
  });
}

test('an unknown key is named with file, line and column', () =>
  inTemporaryFolder((folder) => {
    const file = join(folder, 'run.yaml');
    writeFileSync(file, 'environment: { name: codebreak }\nmodel: { decoder: {} }\ntrain:\n  stepz: 3\n');
    const { code, stderr } = exitRl(['train', '--config', file, '--out', join(folder, 'run')]);
    assert.equal(code, 2);
    assert.ok(stderr.includes(`${file}:4:3: unknown key "train.stepz" (did you mean "steps"?)`), stderr);
    assert.equal(existsSync(join(folder, 'run')), false);
  }));

test('help, version and settings need no engine', () => {
  assert.match(exitRl(['--help']).stdout, /exit-rl train/);
  assert.match(exitRl(['--version']).stdout, /^\d+\.\d+\.\d+/);
  assert.match(exitRl(['config']).stdout, /train\.steps: integer = 200/);
  assert.equal(JSON.parse(exitRl(['config', '--json']).stdout).type, 'object');
});
