import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coverage } from '../../lib/curriculum/coverage.ts';
import { DistinctCount } from '../../lib/curriculum/distinct.ts';
import { Random } from '../../lib/rng.ts';
import type { Attempt, Task } from '../../lib/types.ts';

const answer = (...tokens: number[]): Attempt => ({
  ...{ tokens: Int32Array.from(tokens), feedback: Int32Array.of(), quality: 0 },
});
const task = (instance: number, previous: Attempt | null = null, history: Attempt[] = []): Task => ({
  ...{ instance, depth: previous === null ? 0 : 1, mode: previous === null ? 'base' : 'improve' },
  ...{ previous, history, entry: null, born: null },
});

test('instances and start points are counted once each, by what a step is shown', () => {
  const coverage = new Coverage();
  const counts = (...tasks: Task[]): number[] => {
    for (const each of tasks) coverage.add(each);
    return [coverage.instances, coverage.starts];
  };
  assert.deepEqual(counts(), [0, 0]);
  assert.deepEqual(counts(task(7), task(7), task(8)), [2, 2]);
  assert.deepEqual(counts(task(7, answer(1, 2)), task(7, answer(1, 2))), [2, 3]);
  assert.deepEqual(counts({ ...task(7, answer(1, 2)), depth: 5, mode: 'diverge', entry: 3 }), [2, 3], 'the same start');
  assert.deepEqual(counts(task(8, answer(1, 2)), task(7, answer(2, 1)), task(7, answer())), [2, 6]);
  const [a, b] = [answer(1), answer(1, 2)];
  assert.deepEqual(counts(task(7, null, [a]), task(7, null, [b]), task(7, null, [a, a])), [2, 9]);
  assert.deepEqual(counts(task(7, a, [a]), task(7, answer(2), [a]), task(7, answer(), [b])), [2, 12]);
});

test('saved and restored, it goes on exactly', () => {
  const [whole, random] = [new Coverage(), new Random(1, 'coverage')];
  let resumed = new Coverage();
  for (let i = 0; i < 300; i++) {
    const next = task(random.below(100), random.chance(0.5) ? null : answer(random.below(5), 3));
    whole.add(next);
    resumed.add(next);
    assert.deepEqual([resumed.instances, resumed.starts], [whole.instances, whole.starts]);
    if (i % 20 > 0) continue;
    assert.deepEqual(resumed.save(), whole.save());
    const copy = new Coverage();
    copy.restore(resumed.save());
    resumed = copy;
  }
});

test('many are counted in bounded memory: exactly to the limit, well beyond it, never falling', () => {
  const random = new Random(2, 'distinct');
  const hash = (): number => random.below(2 ** 53);
  const counter = new DistinctCount(1000);
  const seen: number[] = [];
  let last = 0;
  for (let n = 1; n <= 100_000; n++) {
    const next = hash();
    seen.push(next);
    counter.add(next);
    counter.add(seen[Math.floor(n / 2)]!); // one that was there before
    const { count } = counter;
    assert.ok(count >= last, `fell to ${count} at ${n}`);
    last = count;
    if (n < 1000) assert.equal(count, n);
    else assert.ok(Math.abs(count / n - 1) < 0.15, `${count} of ${n}`); // the standard error is 3 %
  }
  assert.equal(counter.save().length, 1000);
  const other = new DistinctCount(1000);
  for (const each of seen.reverse()) other.add(each);
  assert.deepEqual([other.count, other.save()], [counter.count, counter.save()], 'in any order');
});

test('numbers in a row make hashes that are as good as random', () => {
  const coverage = new Coverage();
  for (let instance = 0; instance < 100_000; instance++) coverage.add(task(instance));
  assert.ok(Math.abs(coverage.instances / 100_000 - 1) < 0.02, `${coverage.instances}`);
});
