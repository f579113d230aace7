import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveSeed, philox, Random } from '../../lib/rng.ts';
import { mean, variance } from '../../lib/statistics.ts';

test('Philox4x32-10 gives the published known answers', () => {
  const hex = (words: readonly number[]): string => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');
  assert.equal(hex(philox([0, 0, 0, 0], 0, 0)), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  const ones = 0xffffffff;
  assert.equal(hex(philox([ones, ones, ones, ones], ones, ones)), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  const pi: [number, number, number, number] = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  assert.equal(hex(philox(pi, 0xa4093822, 0x299f31d0)), 'd16cfe09 94fdcceb 5001e420 24126ea1');
});

test('streams depend on the seed and on every item of the path, and on nothing else', () => {
  const draw = (...key: [number, ...(string | number)[]]): number => new Random(...key).uniform();
  assert.equal(draw(1, 'rollout', 3), draw(1, 'rollout', 3));
  const keys: [number, ...(string | number)[]][] = [
    [1, 'a', 1],
    [2, 'a', 1],
    [1, 'b', 1],
    [1, 'a', 2],
    [1, 'a'],
    [1],
    [1, 'a', 2 ** 40],
  ];
  assert.equal(new Set(keys.map((key) => draw(...key))).size, keys.length);
});

test('uniform, below and chance have the right moments', () => {
  const random = new Random(7, 'moments');
  const values = Array.from({ length: 20_000 }, () => random.uniform());
  assert.ok(values.every((value) => value >= 0 && value < 1));
  assert.ok(Math.abs(mean(values) - 0.5) < 0.01);
  assert.ok(Math.abs(variance(values) - 1 / 12) < 0.003);
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < 12_000; i++) counts[random.below(6)]!++;
  assert.ok(
    counts.every((count) => Math.abs(count - 2000) < 200),
    String(counts),
  );
  const hits = Array.from({ length: 10_000 }, () => random.chance(0.3)).filter(Boolean).length;
  assert.ok(Math.abs(hits - 3000) < 200);
});

test('derived seeds are safe integers and differ by purpose', () => {
  const seeds = Array.from({ length: 1000 }, (_, i) => deriveSeed(5, 'purpose', i));
  assert.ok(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0));
  assert.equal(new Set(seeds).size, seeds.length);
});
