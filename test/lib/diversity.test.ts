import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diversityFactors, meanPairwiseDistance } from '../../lib/diversity/bonus.ts';
import { hashedNgrams } from '../../lib/diversity/embedders.ts';

const BONUS = { epsilon: 1e-6, cap: 4 };
const points = (...values: readonly (readonly number[])[]): Float32Array[] => values.map((v) => Float32Array.from(v));

test('factors are distances from the centroid over the spread of the distances', () => {
  // Centroid (0, 0); distances 1, 1, 3, 3: spread 2.
  const factors = diversityFactors(points([1, 0], [-1, 0], [0, 3], [0, -3]), BONUS);
  for (const [i, want] of [0.5, 0.5, 1.5, 1.5].entries()) assert.ok(Math.abs(factors[i]! - want) < 1e-5);
});

test('equal distances give the cap, not infinity; one point has distance 0', () => {
  assert.deepEqual(diversityFactors(points([1, 0], [-1, 0]), BONUS), [4, 4]);
  assert.deepEqual(diversityFactors(points([5, 5], [5, 5], [5, 5]), BONUS), [0, 0, 0]);
  assert.deepEqual(diversityFactors(points([5, 5]), BONUS), [0]);
});

test('an unknown embedding leaves the advantage alone and the others as they were', () => {
  const known = points([1, 0], [-1, 0], [0, 3], [0, -3]);
  const factors = diversityFactors([known[0]!, null, ...known.slice(1)], BONUS);
  assert.equal(factors[1], 1);
  assert.deepEqual(
    factors.filter((_, i) => i !== 1),
    diversityFactors(known, BONUS),
  );
  assert.deepEqual(diversityFactors([null, null], BONUS), [1, 1]);
});

test('mean pairwise distance', () => {
  assert.equal(meanPairwiseDistance(points([0, 0], [3, 4], [0, 0])), 10 / 3);
  assert.equal(meanPairwiseDistance(points([1, 1])), null);
});

test('hashed n-grams: shares that add up to one, equal for equal answers, order matters', () => {
  const of = (...tokens: number[]): Float32Array => hashedNgrams(Int32Array.from(tokens));
  assert.deepEqual(of(1, 2, 3), of(1, 2, 3));
  assert.notDeepEqual(of(1, 2, 3), of(3, 2, 1));
  assert.ok(Math.abs(of(7, 8, 9, 10).reduce((sum, x) => sum + x) - 1) < 1e-6);
  assert.deepEqual(of(), new Float32Array(256));
});
