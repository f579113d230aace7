import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { sort } from '../../lib/environments/sort.ts';
import { Random } from '../../lib/rng.ts';
import { mean } from '../../lib/statistics.ts';

const environment = createEnvironment(sort.settings.parse({ name: 'sort', length: 5, symbols: 8 }));
const judge = (instance: unknown, tokens: readonly number[]): { status: string; quality: number } =>
  environment.judge(instance, Int32Array.from(tokens), []) as { status: string; quality: number };

test('quality falls with the number of inversions and is 0 from half of them on', () => {
  const instance = environment.task(1, 'train');
  const [a, b, c, d, e] = environment.reference(instance, []) as unknown as [number, number, number, number, number];
  assert.ok(a < b && b < c && c < d && d < e);
  assert.equal(judge(instance, [a, b, c, d, e]).quality, 1);
  assert.equal(judge(instance, [b, a, c, d, e]).quality, 0.8);
  assert.equal(judge(instance, [b, c, a, d, e]).quality, 0.6);
  assert.equal(judge(instance, [e, d, c, b, a]).quality, 0);
});

test('only the given symbols, each once, make a valid answer', () => {
  const instance = environment.task(2, 'train');
  const order = [...environment.reference(instance, [])];
  const missing = Array.from({ length: 8 }, (_, symbol) => 6 + symbol).find((token) => !order.includes(token))!;
  for (const answer of [order.slice(1), [...order, order[0]!], order.with(0, order[1]!), order.with(0, missing)]) {
    assert.deepEqual(judge(instance, answer), { status: 'invalid', quality: 0, feedback: new Int32Array(0) });
  }
});

test('the teacher revises valid answers for the better, and rarely finishes at once', () => {
  const random = new Random(1, 'teacher');
  const gains: number[] = [];
  while (gains.length < 300) {
    const { prompt, answer } = environment.demonstration(random)!;
    if (prompt[0] !== 3) continue;
    const instance = Array.from(prompt.subarray(1, 6), (token) => token - 6);
    const before = judge(instance, [...prompt.subarray(6, 11)]);
    const after = judge(instance, [...answer]);
    assert.equal(after.status, 'valid');
    if (before.quality < 1) gains.push(after.quality - before.quality);
  }
  assert.ok(mean(gains) > 0.1 && mean(gains) < 0.5);
});

test('settings without room for distinct symbols are refused', () => {
  assert.equal(sort.settings.safeParse({ name: 'sort', length: 9, symbols: 8 }).success, false);
});
