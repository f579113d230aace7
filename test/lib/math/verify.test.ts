import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { readProblems } from '../../../lib/math/dataset.ts';
import { readable, verify } from '../../../lib/math/verify.ts';
import { Random } from '../../../lib/rng.ts';
import { DIFFERENT, EQUAL, type Pair, TEXTS } from './pairs.ts';

const boxed = (answer: string): string => `Therefore \\boxed{${answer}}.`;

function disagreements(pairs: readonly Pair[], wanted: boolean): string[] {
  return pairs.flatMap(([gold, answer]) => {
    const { equal, status, reason } = verify(gold, boxed(answer));
    return equal === wanted && status !== 'undecided' ? [] : [`${gold}  |  ${answer}: ${status}, ${reason}`];
  });
}

for (const [about, pairs] of Object.entries(EQUAL))
  test(`the same answer, spelled in other ways: ${about}`, () => assert.deepEqual(disagreements(pairs, true), []));

for (const [about, pairs] of Object.entries(DIFFERENT))
  test(`another answer, however much it looks like it: ${about}`, () =>
    assert.deepEqual(disagreements(pairs, false), []));

test('an answer equals itself', () => {
  for (const pairs of [...Object.values(EQUAL), ...Object.values(DIFFERENT)])
    for (const pair of pairs)
      for (const answer of pair) assert.ok(verify(answer, boxed(answer)).equal || answer.includes('{0}'), answer);
});

test('the answer is found in a text', () => {
  const wrong = TEXTS.filter(([gold, text, equal]) => verify(gold, text, { extraction: 'lenient' }).equal !== equal);
  assert.deepEqual(wrong, []);
});

const strict = { extraction: 'strict' } as const;

test('rewards take only what is marked as the answer', () => {
  assert.equal(verify('9', 'we tried 7, 8 and 9', strict).status, 'no answer');
  assert.equal(verify('9', 'we tried 7, 8 and 9').status, 'equal');
  assert.ok(verify('9', '9', strict).equal);
  assert.ok(verify('9', 'The answer is 9.', strict).equal);
  assert.ok(!verify('9', 'What is 4 + 5 if the result is between 8 and 10?', strict).equal);
});

test('an echo of the question scores nothing', () => {
  for (const [gold, question] of [
    ['(1, 4)', 'x^2 - 5x + 4 < 0'],
    ['7', '3 + 4'],
    ['x^2 - 1', '(x^2-1) + y'],
  ] as const)
    assert.equal(verify(gold, boxed(question)).equal, gold === '7', question);
});

test('a decision is explained', () => {
  const { gold, answer, reason } = verify('\\frac{1}{2}', 'so it is \\boxed{0.5}');
  assert.deepEqual([gold?.place, answer?.place, answer?.text], ['whole', 'boxed', '0.5']);
  assert.match(reason, /same number exactly/);
});

test('a gold answer that cannot be read is told apart from a wrong answer', () => {
  assert.equal(verify('', '5').status, 'unreadable gold');
  assert.equal(readable('{,}'), false);
  assert.equal(verify('5', '').status, 'no answer');
});

test('nothing hangs, throws or is taken for right because it is monstrous', () => {
  const monsters = [
    ...[
      '9^{9^{9^9}}',
      `${'{'.repeat(10_000)}z${'}'.repeat(10_000)}`,
      `${'('.repeat(5000)}z`,
      '\\frac{1}{0}',

      '\\infty - \\infty',
    ],
    ...[
      'x'.repeat(1 << 20),
      '1'.repeat(1 << 20),
      '1+'.repeat(3000),
      '\\frac'.repeat(500),
      '\\sqrt'.repeat(500),
      'NaN',
      '-',
      '\\',
      '{',
      '}',
      '$$',
      '^^^',
    ],
    ...[
      '((((((((',
      '170!!!!',
      '10^{400}',
      '\\sum_{k=1}^{10^9} k',
      '\\binom{10^9}{10^8}',
      '__proto__',
      'constructor',
      '\\constructor',
      '\\__proto__{1}',
      'toString',
    ],
    ...[
      '1e999999',
      '\\begin{pmatrix}',
      '\\begin{matrix} & & \\end{matrix}',
      '|||||',
      '\\left',
      '\\text{',
      '\u0000',
      '\ud800',
      '1,2,3,'.repeat(600),
    ],
    ...[
      '\\pm'.repeat(40),
      '\\pm 1 '.repeat(12),
      'a_{b_{c_{d}}}',
      '1/2/3/4/5',
      '....',
      ',,,,',
      '= = =',
      '\\boxed{\\boxed{\\boxed{3}}}',
    ],
  ];
  for (const a of monsters) {
    for (const b of ['1', 'x', '(1,2)', a]) {
      const begin = performance.now();
      const verdict = verify(b, boxed(a), strict);
      verify(a, boxed(b), strict); // as gold it only must end
      assert.ok(performance.now() - begin < 1500, a.slice(0, 40));
      if (a !== b) assert.ok(!verdict.equal, `${a.slice(0, 40)} | ${b}`);
    }
  }
});

test('random LaTeX never throws; random numbers never agree by accident', () => {
  const random = new Random(1, 'latex');
  const parts = [
    '\\frac',
    '{',
    '}',
    '1',
    '23',
    'x',
    '+',
    '-',
    '^',
    '_',
    '(',
    ')',
    '[',
    ']',
    ',',
    '\\pi',
    '\\sqrt',
    '|',
    '=',
    '<',
    '\\cup',
    '\\pm',
    '.',
    '%',
    '!',
    ' ',
    '\\{',
    '\\}',
    '\\text{a}',
    'sin',
    '/',
    '*',
    ':',
  ];
  for (let i = 0; i < 5000; i++) {
    const make = (): string => Array.from({ length: 1 + random.below(16) }, () => random.pick(parts)).join('');
    const [a, b] = [make(), make()];
    const { status, reason } = verify(a, boxed(b), { extraction: 'lenient' });
    assert.doesNotMatch(reason, /verifier failed/, `${a} | ${b}`);
    assert.notEqual(status, undefined);
  }
  for (let i = 0; i < 2000; i++) {
    const [a, b] = [random.below(1e6), random.below(1e6)];
    if (a !== b) assert.ok(!verify(String(a), boxed(String(b))).equal);
  }
});

const data = process.env['EXIT_RL_DATA'];
const folder = data === undefined ? '' : path.join(data, 'math');
test('public gold answers can be read', {
  skip: existsSync(folder) ? false : 'EXIT_RL_DATA names no folder with math/',
}, () => {
  let [read, lost] = [0, 0];
  for (const name of ['math500.jsonl', 'math_train.json', 'gsm8k_test.json']) {
    const { problems, leftOut } = readProblems(path.join(folder, name));
    const unread = leftOut.filter(({ reason }) => !reason.startsWith('the same problem'));
    console.log(
      `${name}: ${problems.length} read, left out: ${leftOut.map(({ where, reason }) => `${where} ${reason}`).join('; ')}`,
    );
    assert.ok(unread.every(({ reason }) => reason === 'no answer'));
    for (const { answer } of problems) assert.ok(verify(answer, boxed(answer)).equal, answer);
    read += problems.length;
    lost += leftOut.length;
  }
  assert.equal(read + lost, 9293);
});
