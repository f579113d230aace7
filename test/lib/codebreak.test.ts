import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { codebreak } from '../../lib/environments/codebreak.ts';
import { mean } from '../../lib/statistics.ts';
import type { Attempt } from '../../lib/types.ts';

const SYMBOL = 6;
const MASK = 5;
const [HIT, LOW, HIGH] = [16, 17, 18];
const environment = createEnvironment(codebreak.settings.parse({ name: 'codebreak' }));
const quality = (instance: unknown, tokens: Int32Array): number =>
  (environment.judge(instance, tokens, []) as { quality: number }).quality;

test('feedback marks each position as hit, too low or too high', () => {
  const instance = environment.task(1, 'train');
  const code = environment.reference(instance, []);
  for (let symbol = 0; symbol < 10; symbol++) {
    const answer = new Int32Array(6).fill(SYMBOL + symbol);
    const verdict = environment.judge(instance, answer, []) as { quality: number; feedback: Int32Array };
    const expected = code.map((c) => (c === SYMBOL + symbol ? HIT : SYMBOL + symbol < c ? LOW : HIGH));
    assert.deepEqual(verdict.feedback, expected);
    assert.equal(verdict.quality, expected.filter((mark) => mark === HIT).length / 6);
  }
});

test('a wrong symbol or length is invalid and worth nothing, but the rest of the feedback stands', () => {
  const instance = environment.task(2, 'train');
  const answer = environment.reference(instance, []).slice();
  answer[3] = HIT; // not a symbol
  const verdict = environment.judge(instance, answer, []) as { status: string; quality: number; feedback: Int32Array };
  assert.deepEqual([verdict.status, verdict.quality], ['invalid', 0]);
  assert.deepEqual([...verdict.feedback], [HIT, HIT, HIT, MASK, HIT, HIT]);
  for (const length of [0, 5, 7]) assert.equal(quality(instance, new Int32Array(length).fill(SYMBOL)), 0);
});

test('the prompt holds mode, hint, previous attempt and feedback in fixed places', () => {
  const instance = environment.task(3, 'held_out') as { hint: number[] };
  const base = environment.prompt(instance, 'base', null, []);
  assert.deepEqual([...base], [2, ...instance.hint.map((s) => s + SYMBOL), ...new Array<number>(12).fill(MASK), 1]);
  const tokens = environment.reference(instance, []);
  const previous: Attempt = { tokens, feedback: new Int32Array(6).fill(HIT), quality: 1 };
  const improve = environment.prompt(instance, 'improve', previous, []);
  assert.deepEqual([...improve], [3, ...base.subarray(1, 7), ...tokens, ...previous.feedback, 1]);
  const diverge = environment.prompt(instance, 'diverge', previous, []);
  assert.deepEqual([...diverge], [4, ...improve.subarray(1)]);
});

test('copying the hint scores what the level says; demonstrated first answers score less', () => {
  const numbers = Array.from({ length: 4000 }, (_, i) => i);
  const copied = numbers.map((number) => {
    const instance = environment.task(number, 'train') as { hint: number[] };
    return quality(
      instance,
      Int32Array.from(instance.hint, (symbol) => symbol + SYMBOL),
    );
  });
  assert.ok(Math.abs(mean(copied) - environment.levels['copy of the hint']!) < 0.015);
});

test('difficulties that cannot keep the splits apart are refused', () => {
  assert.equal(codebreak.settings.safeParse({ name: 'codebreak', length: 1, symbols: 10 }).success, false);
  assert.equal(codebreak.settings.safeParse({ name: 'codebreak', length: 4, symbols: 4, hint: 0 }).success, true);
});
