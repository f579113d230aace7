import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { tune } from '../../lib/environments/tune.ts';
import { Random } from '../../lib/rng.ts';

const LEVEL = 6;
const [RIGHT, LOW, HIGH] = [14, 15, 16];
const exact = createEnvironment(tune.settings.parse({ name: 'tune', noise: 0 }));
const noisy = createEnvironment(tune.settings.parse({ name: 'tune' }));
type Judged = { status: string; quality: number; feedback: Int32Array };
const judge = (environment: typeof exact, instance: unknown, tokens: Int32Array): Judged =>
  environment.judge(instance, tokens, []) as Judged;

test('without noise the marks tell right, too low and too high', () => {
  const instance = exact.task(1, 'train');
  const optimum = exact.reference(instance, []);
  for (let level = 0; level < 8; level++) {
    const { feedback } = judge(exact, instance, new Int32Array(6).fill(LEVEL + level));
    const expected = optimum.map((best) => (best === LEVEL + level ? RIGHT : LEVEL + level < best ? LOW : HIGH));
    assert.deepEqual(feedback, expected);
  }
});

test('quality grows with every step towards the optimum and is 1 nowhere else', () => {
  const instance = exact.task(2, 'train');
  const optimum = exact.reference(instance, []);
  for (const knob of optimum.keys()) {
    const direction = optimum[knob]! > LEVEL + 3 ? -1 : 1;
    const qualities = [0, 1, 2, 3].map(
      (steps) => judge(exact, instance, optimum.with(knob, optimum[knob]! + direction * steps)).quality,
    );
    assert.equal(qualities[0], 1);
    for (const i of [1, 2, 3]) assert.ok(qualities[i]! < qualities[i - 1]!);
  }
  assert.deepEqual(judge(exact, instance, optimum.with(2, RIGHT)).status, 'invalid');
});

test('one mark in ten is wrong, the same one in every repetition, another one for another answer', () => {
  const random = new Random(1, 'noise');
  let wrong = 0;
  let seen = 0;
  for (let number = 0; number < 500; number++) {
    const instance = noisy.task(number, 'train');
    const answer = Int32Array.from({ length: 6 }, () => LEVEL + random.below(8));
    const marks = judge(noisy, instance, answer).feedback;
    assert.deepEqual(judge(noisy, instance, answer.slice()).feedback, marks);
    const truth = judge(exact, exact.task(number, 'train'), answer).feedback;
    wrong += marks.filter((mark, i) => mark !== truth[i]).length;
    seen += 6;
  }
  assert.ok(Math.abs(wrong / seen - 0.1) < 0.02);
});

test('the prior is off by at most the spread', () => {
  const instance = noisy.task(3, 'held_out') as { prior: number[]; optimum: number[] };
  for (const [i, level] of instance.prior.entries()) assert.ok(Math.abs(level - instance.optimum[i]!) <= 3);
});
