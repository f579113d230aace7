import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig, configJsonSchema, formatConfig, parseConfig } from '../../lib/config/load.ts';
import { describeSettings } from '../../lib/config/describe.ts';
import { presetFile, presetNames } from '../../lib/config/presets.ts';
import { UsageError } from '../../lib/errors.ts';

const MINIMAL = 'environment: { name: codebreak }\nmodel: { decoder: {} }\n';

/** The message a text is refused with. */
function complaint(text: string, set: readonly string[] = []): string {
  try {
    parseConfig({ name: 'run.yaml', text, set });
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error));
    assert.equal(error.exitCode, 2);
    return error.message;
  }
  assert.fail('expected a complaint');
}

test('every preset is valid, and so is what it resolves to', () => {
  assert.ok(presetNames().includes('codebreak'));
  for (const name of presetNames()) {
    const config = loadConfig(presetFile(name));
    assert.deepEqual(parseConfig({ name: 'config.yaml', text: formatConfig(config) }), config);
  }
});

test('a missing setting, an unknown key and a wrong type say file, line, column and what to do', () => {
  const cases: [string, RegExp][] = [
    [`${MINIMAL}train:\n  stepz: 3\n`, /^run\.yaml:4:3: unknown key "train\.stepz" \(did you mean "steps"\?\)$/],
    [`${MINIMAL}trian: {}\n`, /^run\.yaml:3:1: unknown key "trian" \(did you mean "train"\?\)$/],
    [`${MINIMAL}train: { steps: soon }\n`, /^run\.yaml:3:17: train\.steps: expected number, got "soon"$/],
    [`${MINIMAL}rollout: { topP: 2 }\n`, /^run\.yaml:3:18: rollout\.topP: too big/],
    [`${MINIMAL}strategies: [grpo, grpo]\n`, /^run\.yaml:3:13: strategies: a strategy is listed twice/],
    [`${MINIMAL}strategies: [improv]\n`, /^run\.yaml:3:14: .*did you mean "improve"/],
    ['model: { decoder: {} }\n', /^run\.yaml:1:1: missing setting "environment"$/],
    ['environment: { name: codebreak }\nmodel: { path: null }\n', /^run\.yaml:2:8: model: give either path/],
    [
      'environment: { name: codebreak, lenght: 3 }\nmodel: { decoder: {} }\n',
      /^run\.yaml:1:33: .*did you mean "length"/,
    ],
    [
      `${MINIMAL}curriculum: { capacity: 3, minimum: 4 }\n`,
      /^run\.yaml:3:37: curriculum\.minimum: the buffer never holds 4 entries with capacity 3/,
    ],
    ['a: [1\nb: 2\n', /^run\.yaml:\d+:\d+: /],
    ['just text', /^run\.yaml:1:1: expected a mapping/],
  ];
  for (const [text, expected] of cases) assert.match(complaint(text), expected);
});

test('--set overrides, typed as YAML, and is named when it is wrong', () => {
  const set = [
    'train.steps=5',
    'evaluation.final=[0, 32]',
    'algorithm.loss.klWeight=0.1',
    'reward.selfIteration=improvement',
  ];
  const config = parseConfig({ name: 'run.yaml', text: MINIMAL, set });
  assert.deepEqual([config.train.steps, config.evaluation.final], [5, [0, 32]]);
  assert.deepEqual([config.algorithm.loss.klWeight, config.reward.selfIteration], [0.1, 'improvement']);
  assert.match(
    complaint(MINIMAL, ['train.stepz=5']),
    /^--set train\.stepz=5: unknown key "train\.stepz" \(did you mean/,
  );
  assert.match(complaint(MINIMAL, ['train.steps=-1']), /^--set train\.steps=-1: train\.steps: too small/);
  assert.match(complaint(MINIMAL, ['train.steps']), /expected key=value/);
  assert.match(complaint(MINIMAL, ['seed.x=1']), /unknown key|holds a value|expected/);
});

test('help and JSON Schema come from the schema', () => {
  const settings = describeSettings();
  const steps = settings.find(({ path }) => path === 'train.steps');
  assert.equal(steps?.standard, ' = 200');
  assert.ok(settings.some(({ path, help }) => path === 'curriculum.kappa' && help.includes('softmax')));
  assert.equal((configJsonSchema() as { additionalProperties: boolean }).additionalProperties, false);
});
