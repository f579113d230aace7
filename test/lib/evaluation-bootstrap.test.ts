import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapMeans, quantile } from '../../lib/evaluation/bootstrap.ts';
import { Random } from '../../lib/rng.ts';
import { mean } from '../../lib/statistics.ts';

const random = (): Random => new Random(1, 'bootstrap test');

test('quantiles are linear between neighbours', () => {
  assert.deepEqual(
    [0, 0.25, 0.5, 0.625, 1].map((share) => quantile([1, 2, 3, 4, 5], share)),
    [1, 2, 3, 3.5, 5],
  );
});

test('the interval of a mean agrees with the normal approximation, and repeats with the seed', () => {
  const draw = new Random(2, 'values');
  const values = Array.from({ length: 400 }, () => draw.uniform());
  const [interval] = bootstrapMeans([values], random(), { resamples: 4000 });
  const halfWidth = 1.96 * Math.sqrt(1 / 12 / 400);
  assert.ok(Math.abs(interval![0] - (mean(values) - halfWidth)) < 0.15 * halfWidth);
  assert.ok(Math.abs(interval![1] - (mean(values) + halfWidth)) < 0.15 * halfWidth);
  assert.deepEqual(bootstrapMeans([values], random()), bootstrapMeans([values], random()));
});

test('it covers the true mean about as often as it says', () => {
  const draw = new Random(3, 'coverage');
  let covered = 0;
  for (let trial = 0; trial < 200; trial++) {
    const values = Array.from({ length: 50 }, () => draw.uniform());
    const [low, high] = bootstrapMeans([values], draw, { resamples: 200 })[0]!;
    if (low <= 0.5 && high >= 0.5) covered++;
  }
  assert.ok(covered >= 180 && covered <= 200, `${covered} of 200`);
});

test('series are resampled together; unknown values are left out', () => {
  const values = [0, 1, 0, 1, 1, 0, 1, 1];
  const shifted = values.map((value) => value + 10);
  const withHoles = [...values.slice(0, 4), null, null, null, null];
  const [plain, moved, holes] = bootstrapMeans([values, shifted, withHoles], random());
  assert.ok(Math.abs(moved![0] - plain![0] - 10) < 1e-9 && Math.abs(moved![1] - plain![1] - 10) < 1e-9);
  assert.ok(holes![1] - holes![0] > plain![1] - plain![0]);
});

test('fewer than two known values have no interval', () => {
  assert.deepEqual(bootstrapMeans([[0.5]], random()), [null]);
  assert.deepEqual(bootstrapMeans([[0.5, null, null]], random()), [null]);
  assert.deepEqual(bootstrapMeans([], random()), []);
});
