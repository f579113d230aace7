import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import type { NewEntry } from '../../lib/curriculum/entry.ts';
import { Random } from '../../lib/rng.ts';

const start = (score: number, instance = 0): NewEntry => ({
  ...{ instance, depth: 1, score, born: 0, scored: 0 },
  ...{ episode: [], turn: 0 },
  previous: { tokens: Int32Array.of(instance, 2), feedback: Int32Array.of(3), quality: 0.5 },
});

const scores = (buffer: TaskBuffer): number[] => buffer.entries.map(({ score }) => score).sort((a, b) => a - b);

test('a full buffer keeps the highest scores; ties let the newcomer in and evict the oldest of equals', () => {
  const buffer = new TaskBuffer({ capacity: 3 });
  for (const [instance, score] of [0.2, 0.1, 0.1].entries()) assert.ok(buffer.insert(start(score, instance)));
  assert.equal(buffer.insert(start(0.05, 3)), false);
  assert.ok(buffer.insert(start(0.1, 4)));
  assert.deepEqual(
    buffer.entries.map(({ instance }) => instance),
    [0, 4, 2],
  );
  assert.ok(buffer.insert(start(0.25, 5)));
  assert.deepEqual(
    buffer.entries.map(({ instance }) => instance),
    [0, 4, 5],
  );
});

test('agrees with a sorted list through thousands of random insertions and re-scorings', () => {
  const random = new Random(1, 'buffer');
  const buffer = new TaskBuffer({ capacity: 50 });
  let list: { id: number; score: number }[] = [];
  const lowestFirst = (a: { id: number; score: number }, b: { id: number; score: number }): number =>
    a.score - b.score || a.id - b.id;
  let next = 0;
  for (let i = 0; i < 5000; i++) {
    const score = random.below(20) / 80;
    if (list.length > 0 && random.chance(0.3)) {
      const victim = random.pick(list);
      assert.ok(buffer.rescore(victim.id, score, i));
      victim.score = score;
    } else if (list.length < 50 || score >= list.toSorted(lowestFirst)[0]!.score) {
      if (list.length === 50) list = list.toSorted(lowestFirst).slice(1);
      list.push({ id: next++, score });
      assert.ok(buffer.insert(start(score)));
    } else assert.equal(buffer.insert(start(score)), false);
    assert.deepEqual(
      buffer.entries.map(({ id, score: s }) => ({ id, score: s })).sort(lowestFirst),
      list.toSorted(lowestFirst),
    );
  }
});

test('draws follow the softmax of kappa times the score', () => {
  const buffer = new TaskBuffer({ capacity: 4, kappa: 20 });
  for (const [i, score] of [0, 0.1, 0.2, 0.25].entries()) buffer.insert(start(score, i));
  const weights = [0, 0.1, 0.2, 0.25].map((score) => Math.exp(20 * score));
  const total = weights.reduce((a, b) => a + b);
  for (const [i, probability] of buffer.probabilities().entries()) {
    assert.ok(Math.abs(probability - weights[i]! / total) < 1e-12);
  }
  const random = new Random(3, 'draws');
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 20_000; i++) counts[buffer.sample(random.uniform()).instance]!++;
  for (const [i, count] of counts.entries()) assert.ok(Math.abs(count / 20_000 - weights[i]! / total) < 0.015);
});

test('a re-scored entry that is gone says so', () => {
  const buffer = new TaskBuffer({ capacity: 1 });
  buffer.insert(start(0.1));
  const { id } = buffer.entries[0]!;
  buffer.insert(start(0.2));
  assert.equal(buffer.rescore(id, 0.3, 1), false);
});

test('saved and restored, it goes on exactly', () => {
  const random = new Random(2, 'save');
  const buffer = new TaskBuffer({ capacity: 20 });
  for (let i = 0; i < 60; i++) buffer.insert(start(random.uniform() / 4, i));
  const copy = new TaskBuffer({ capacity: 20 });
  copy.restore(structuredClone(buffer.save()));
  assert.deepEqual(copy.entries, buffer.entries);
  for (let i = 0; i < 500; i++) {
    const u = random.uniform();
    assert.deepEqual(copy.sample(u), buffer.sample(u));
    const score = random.uniform() / 4;
    assert.equal(copy.insert(start(score, i)), buffer.insert(start(score, i)));
  }
  assert.deepEqual(copy.save(), buffer.save());
});

test('old entries expire; the others stay as they were', () => {
  const buffer = new TaskBuffer({ capacity: 6 });
  for (let i = 0; i < 6; i++) buffer.insert({ ...start(i / 40, i), born: i });
  const kept = new Set(buffer.entries.slice(4));
  buffer.expire(4);
  assert.deepEqual(new Set(buffer.entries), kept);
  buffer.expire(4);
  assert.ok(buffer.insert({ ...start(0, 9), born: 6 }));
  assert.deepEqual([buffer.size, buffer.rescore(0, 1, 7), buffer.rescore(5, 0.2, 7)], [3, false, true]);
});

test('all scores equal: every entry is as likely', () => {
  const buffer = new TaskBuffer({ capacity: 5, kappa: 500 });
  for (let i = 0; i < 5; i++) buffer.insert(start(0, i));
  assert.deepEqual(scores(buffer), [0, 0, 0, 0, 0]);
  for (const probability of buffer.probabilities()) assert.ok(Math.abs(probability - 0.2) < 1e-12);
  assert.equal(buffer.sample(0.999999999).instance, 4);
  assert.throws(() => new TaskBuffer({ capacity: 5 }).sample(0.5), RangeError);
});
