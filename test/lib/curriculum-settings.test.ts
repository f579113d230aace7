import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';

const parse = (...set: string[]): ReturnType<typeof parseConfig> =>
  parseConfig({ name: 'run.yaml', text: 'environment: { name: codebreak }\nmodel: { decoder: {} }\n', set });

test('a curriculum that cannot hold is refused when it is read, with the reason', () => {
  const refused: [string[], RegExp][] = [
    [
      ['curriculum.capacity=100'],
      /curriculum\.minimum: the buffer never holds 128 entries with capacity 100: lower it or raise .*capacity$/,
    ],
    [['curriculum.capacity=1e11'], /curriculum\.capacity: too big: a buffer holds ten million/],
    [['curriculum.capacity=0'], /curriculum\.capacity: too small/],
    [['curriculum.kappa=-1'], /curriculum\.kappa: too small/],
    [['curriculum.probability=1.5'], /curriculum\.probability: too big/],
    [['curriculum.diverge=-0.1'], /curriculum\.diverge: too small/],
    [['curriculum.staleness=1.1'], /curriculum\.staleness: too big/],
    [['curriculum.staleness=-0.1'], /curriculum\.staleness: too small/],
    [['curriculum.decay=0'], /curriculum\.decay: too small/],
    [['curriculum.decay=1.01'], /curriculum\.decay: too big/],
    [['curriculum.beta=0'], /curriculum\.beta: too small/],
    [['curriculum.topK=0'], /curriculum\.topK: too small/],
    [['curriculum.topK=513'], /topK exceeds capacity/],
    [['curriculum.sampling=top'], /sampling the top needs topK/],
    [['curriculum.sampling=softmaxx'], /did you mean "softmax"/],
    [['evaluation.samples=8', 'evaluation.temperature=0'], /more than one sample needs a temperature/],
    [
      ['environment.name=maths'],
      /environment\.name: "maths" is not an environment of this version; there are: codebreak/,
    ],
    [['environment=codebreak'], /environment: expected object, got "codebreak"/],
    [['environment={ length: 3 }'], /missing setting "environment\.name"/],
    [['rollout.groupSize=1'], /at least two attempts: a single return has no variance/],
  ];
  for (const [set, message] of refused) assert.throws(() => parse(...set), message, set.join(' '));
});

test('everything beyond the paper is off unless asked for', () => {
  const { sampling, staleness, decay, topK, maxAge } = parse().curriculum;
  assert.deepEqual(
    { sampling, staleness, decay, topK, maxAge },
    {
      ...{ sampling: 'softmax', staleness: 0, decay: 1, topK: null, maxAge: null },
    },
  );
});
