import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { clerk } from '../../lib/environments/clerk.ts';
import type { Attempt } from '../../lib/types.ts';

const DIGIT = 6;
const [KEEP, RIGHT, WRONG] = [16, 17, 18];
const environment = createEnvironment(clerk.settings.parse({ name: 'clerk' }));
const [ADD, COPY, SWAP, RAISE_ALL, DOUBLE] = [0, 1, 2, 3, 4];
/** add 3 to register 2, then double the largest, then swap 0 and 3. */
const errand = {
  initial: [1, 4, 5, 0],
  requests: [
    { instruction: ADD, a: 2, b: 3 },
    { instruction: DOUBLE, a: 0, b: 0 },
    { instruction: SWAP, a: 0, b: 3 },
  ],
};
type Judged = { status: string; quality: number; feedback: Int32Array };
const judge = (tokens: readonly number[], history: readonly Attempt[], instance: unknown = errand): Judged =>
  environment.judge(instance, Int32Array.from(tokens), history) as Judged;
const stand = (tokens: readonly number[], history: readonly Attempt[]): Attempt[] => {
  const { quality, feedback } = judge(tokens, history);
  return [...history, { tokens: Int32Array.from(tokens), quality, feedback }];
};

test('the ledger changes by the calls that stand; later requests build on it', () => {
  let history = stand([KEEP, KEEP, DIGIT + 8, KEEP], []);
  assert.deepEqual([...history[0]!.feedback], [7, 10, 14, 6, RIGHT, RIGHT, RIGHT, RIGHT]); // 1 4 8 0
  assert.deepEqual([...environment.reference(errand, history)], [KEEP, KEEP, DIGIT + 6, KEEP]); // 8 + 8 = 16
  history = stand([KEEP, KEEP, KEEP, KEEP], history); // a mistake
  assert.deepEqual([...history[1]!.feedback], [7, 10, 14, 6, RIGHT, RIGHT, WRONG, RIGHT]);
  assert.equal(history[1]!.quality, 0.75);
  const prompt = environment.prompt(errand, 'base', null, history);
  assert.deepEqual([...prompt.subarray(4, 12)], [...history[1]!.feedback]);
  assert.equal(judge([DIGIT, KEEP, KEEP, DIGIT + 1], history).quality, 0.75); // the swap alone
  assert.equal(judge([DIGIT, KEEP, DIGIT + 6, DIGIT + 1], history).quality, 1); // with the repair
});

test('what is no call is worth nothing and leaves the ledger as it was', () => {
  for (const tokens of [[], [KEEP, KEEP, KEEP], [KEEP, KEEP, KEEP, RIGHT], [KEEP, KEEP, KEEP, KEEP, KEEP]]) {
    const { status, quality, feedback } = judge(tokens, []);
    assert.deepEqual([status, quality], ['invalid', 0]);
    assert.deepEqual([...feedback], [7, 10, 11, 6, RIGHT, RIGHT, WRONG, RIGHT]);
  }
});

test('instructions', () => {
  for (const [instruction, a, b, expected] of [
    [ADD, 1, 7, [1, 1, 5, 0]],
    [COPY, 2, 0, [5, 4, 5, 0]],
    [SWAP, 1, 2, [1, 5, 4, 0]],
    [RAISE_ALL, 6, 0, [7, 0, 1, 6]],
    [DOUBLE, 0, 0, [1, 4, 0, 0]],
  ] as const) {
    const instance = { ...errand, requests: [{ instruction, a, b }] };
    assert.equal(
      judge(
        expected.map((digit) => DIGIT + digit),
        [],
        instance,
      ).quality,
      1,
    );
  }
});

test('without an audit the ledger only shows its state', () => {
  const plain = createEnvironment(clerk.settings.parse({ name: 'clerk', audit: false }));
  const { feedback } = plain.judge(errand, new Int32Array(4).fill(KEEP), []) as Judged;
  assert.deepEqual([...feedback], [7, 10, 11, 6, 5, 5, 5, 5]);
});

test('with fewer digits calculation is modulo their number', () => {
  const small = createEnvironment(clerk.settings.parse({ name: 'clerk', digits: 5 }));
  assert.equal(small.vocabularySize, environment.vocabularySize - 5);
  const keep = DIGIT + 5;
  const initial = [4, 1, 0, 3];
  for (const [instruction, a, b, call] of [
    [ADD, 0, 3, [DIGIT + 2, keep, keep, keep]],
    [RAISE_ALL, 2, 0, [DIGIT + 1, DIGIT + 3, DIGIT + 2, DIGIT]],
    [DOUBLE, 0, 0, [DIGIT + 3, keep, keep, keep]],
  ] as const) {
    const instance = { initial, requests: [{ instruction, a, b }] };
    assert.deepEqual([...small.reference(instance, [])], call);
    assert.equal((small.judge(instance, Int32Array.from(call), []) as Judged).quality, 1);
    const [first, ...rest] = call;
    const tooLarge = (small.judge(instance, Int32Array.from([first + keep, ...rest]), []) as Judged).status;
    assert.equal(tooLarge, 'invalid');
  }
  assert.throws(() => clerk.settings.parse({ name: 'clerk', digits: 3, registers: 2 }), /at least 100/);
});
