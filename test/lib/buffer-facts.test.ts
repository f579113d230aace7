import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { Random } from '../../lib/rng.ts';
import { mean } from '../../lib/statistics.ts';
import { churn, startPoint } from '../support/buffers.ts';

test('running facts are those of the entries, after any history', () => {
  const random = new Random(6, 'facts');
  const buffer = new TaskBuffer({ capacity: 25 });
  for (let step = 0; step < 200; step++) {
    churn(buffer, random, step, 9);
    const { entries, facts } = buffer;
    const scores = entries.map(({ score }) => score);
    assert.ok(Math.abs(facts.meanScore! - mean(scores)) < 1e-12);
    assert.deepEqual(
      [buffer.minScore, facts.maxScore, facts.meanDepth, facts.meanBorn, facts.instances],
      [
        Math.min(...scores),
        Math.max(...scores),
        mean(entries.map(({ depth }) => depth)),
        mean(entries.map(({ born }) => born)),
        new Set(entries.map(({ instance }) => instance)).size,
      ],
    );
    const bins = new Array<number>(10).fill(0);
    for (const score of scores) bins[Math.min(9, Math.floor(score * 40))]! += 1;
    assert.deepEqual(facts.histogram, bins);
    const copy = new TaskBuffer({ capacity: 25 });
    copy.restore(structuredClone(buffer.save()));
    assert.equal(copy.facts.meanScore, facts.meanScore, 'not one bit depends on what came and went');
    assert.deepEqual(copy.facts.histogram, facts.histogram);
  }
});

test('an empty buffer has no facts; expiry can empty a full one', () => {
  const buffer = new TaskBuffer({ capacity: 3 });
  const nothing = (): void => {
    const { facts } = buffer;
    assert.deepEqual([buffer.minScore, facts.meanScore, facts.maxScore, facts.meanDepth], [null, null, null, null]);
    assert.deepEqual([buffer.size, facts.instances], [0, 0]);
  };
  nothing();
  for (let i = 0; i < 5; i++) buffer.insert(startPoint(0.1, i));
  buffer.expire(1);
  nothing();
  assert.ok(buffer.insert({ ...startPoint(0.05), born: 1 }));
  assert.equal(buffer.sample(0.5).score, 0.05);
});

test('expiry drops exactly the entries born before', () => {
  const random = new Random(7, 'expiry');
  const buffer = new TaskBuffer({ capacity: 40 });
  for (let i = 0; i < 40; i++) buffer.insert({ ...startPoint(random.uniform() / 4, i), born: random.below(20) });
  for (let step = 0; step <= 20; step++) {
    const kept = new Set(buffer.entries.filter(({ born }) => born >= step));
    buffer.expire(step);
    assert.deepEqual(new Set(buffer.entries), kept);
  }
  assert.equal(buffer.size, 0);
});
