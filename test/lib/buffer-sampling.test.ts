import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BufferSettings, TaskBuffer } from '../../lib/curriculum/buffer.ts';
import type { Entry } from '../../lib/curriculum/entry.ts';
import { SlotRanking } from '../../lib/curriculum/slot-ranking.ts';
import { Random } from '../../lib/rng.ts';
import { churn, startPoint } from '../support/buffers.ts';

const KINDS: readonly Omit<BufferSettings, 'capacity'>[] = [
  { sampling: 'softmax', kappa: 20 },
  { sampling: 'softmax', kappa: 20, decay: 0.87 },
  { sampling: 'rank', beta: 0.5 },
  { sampling: 'rank', beta: 0.5, decay: 0.87 },
  { sampling: 'top', topK: 5 },
  { sampling: 'top', topK: 5, staleness: 0.3 },
  { sampling: 'softmax', kappa: 20, staleness: 0.3 },
  { sampling: 'rank', beta: 1, staleness: 1 },
];

/** The probabilities by their definitions, entry by entry. `now`: the step that draws. */
function expected(entries: readonly Entry[], settings: Omit<BufferSettings, 'capacity'>, now: number): number[] {
  const { sampling, kappa = 10, beta = 0.1, topK, decay = 1, staleness = 0 } = settings;
  const fade = ({ scored }: Entry): number => decay ** (now - scored);
  const worth = (entry: Entry): number => entry.score * fade(entry);
  const ranked = entries.toSorted((a, b) => worth(b) - worth(a) || b.id - a.id);
  const weight = (entry: Entry): number => {
    if (sampling === 'softmax') return Math.exp(kappa * entry.score) * fade(entry);
    const rank = ranked.indexOf(entry) + 1;
    return sampling === 'rank' ? rank ** (-1 / beta) : Number(rank <= topK!);
  };
  const shares = (weights: readonly number[]): number[] => {
    const total = weights.reduce((a, b) => a + b);
    return weights.map((w) => w / total);
  };
  const stale = shares(entries.map(({ scored }) => now - scored));
  return shares(entries.map(weight)).map((share, i) => (1 - staleness) * share + staleness * stale[i]!);
}

for (const settings of KINDS) {
  const name = JSON.stringify(settings);

  test(`${name}: probabilities and draws are those of the definition`, () => {
    const random = new Random(4, name);
    const buffer = new TaskBuffer({ capacity: 12, ...settings });
    for (let step = 0; step < 40; step++) {
      churn(buffer, random, step, 10);
      const exact = expected(buffer.entries, settings, step + 1);
      for (const [i, p] of buffer.probabilities().entries()) assert.ok(Math.abs(p - exact[i]!) < 1e-9, `step ${step}`);
    }
    // u runs through [0, 1) evenly: each entry is hit as often as its probability says.
    const counts = new Map<number, number>();
    const draws = 40_000;
    for (let i = 0; i < draws; i++) {
      const { id } = buffer.sample(i / draws);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const [i, p] of buffer.probabilities().entries()) {
      assert.ok(Math.abs((counts.get(buffer.entry(i).id) ?? 0) / draws - p) <= 3 / draws);
    }
    buffer.sample(1 - 2 ** -53);
  });

  test(`${name}: saved and restored at any step, the same draws bit for bit`, () => {
    const [random, again] = [new Random(5, name), new Random(5, name)];
    const whole = new TaskBuffer({ capacity: 20, ...settings });
    let resumed = new TaskBuffer({ capacity: 20, ...settings });
    for (let step = 0; step < 60; step++) {
      const saved = structuredClone(resumed.save());
      resumed = new TaskBuffer({ capacity: 20, ...settings });
      resumed.restore(saved);
      churn(whole, random, step, 7);
      churn(resumed, again, step, 7);
      assert.deepEqual(resumed.probabilities(), whole.probabilities());
      assert.deepEqual(resumed.save(), whole.save());
      for (let i = 0; i < 20; i++) assert.deepEqual(whole.sample(random.uniform()), resumed.sample(again.uniform()));
    }
  });
}

test('a score that fades for a million steps neither overflows nor vanishes', () => {
  for (const decay of [0.999, 1e-3]) {
    const buffer = new TaskBuffer({ capacity: 3, decay, kappa: 500 });
    for (const step of [1e6 - 2, 1e6 - 1, 1e6]) buffer.insert({ ...startPoint(0.1), scored: step });
    const weights = [decay ** 2, decay, 1];
    const total = weights.reduce((a, b) => a + b);
    for (const [i, p] of buffer.probabilities().entries()) assert.ok(Math.abs(p * total - weights[i]!) < 1e-8);
  }
});

test('weights of very different size: the small ones are never confused with empty slots', () => {
  const buffer = new TaskBuffer({ capacity: 8, kappa: 500 });
  for (const score of [0.25, 0, 0, 0, 0]) buffer.insert(startPoint(score));
  for (const u of [0, 0.5, 1 - 2 ** -53]) assert.equal(buffer.sample(u).score, 0.25);
  const reversed = new TaskBuffer({ capacity: 8, kappa: 500 });
  for (const score of [0, 0, 0, 0, 0.25]) reversed.insert(startPoint(score));
  for (const u of [1e-9, 0.5, 1 - 2 ** -53]) assert.equal(reversed.sample(u).score, 0.25);
});

test('a ranking answers in O(log N), also after entries in rising order', () => {
  const n = 1 << 17;
  let comparisons = 0;
  const ranking = new SlotRanking(n, (a, b) => {
    comparisons++;
    return a < b;
  });
  for (let slot = 0; slot < n; slot++) ranking.add(slot);
  const most = 3 * Math.log2(n);
  assert.ok(comparisons / n < most, `${comparisons / n} comparisons per insertion`);
  comparisons = 0;
  for (let slot = 0; slot < n; slot += 2) ranking.remove(slot);
  assert.ok(comparisons / (n / 2) < most, `${comparisons / (n / 2)} comparisons per removal`);
  for (const rank of [0, 1, 1000, n / 2 - 1]) {
    assert.equal(ranking.at(rank), 2 * rank + 1);
    assert.equal(ranking.rankOf(2 * rank + 1), rank);
  }
});
