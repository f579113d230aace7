import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reward } from '../../lib/rewards/reward.ts';

const of = (quality: number): { tokens: Int32Array; feedback: Int32Array; quality: number } => ({
  ...{ tokens: Int32Array.of(), feedback: Int32Array.of(), quality },
});

test('base steps and plain self-iteration get the quality', () => {
  assert.equal(reward('plain', of(0.3), null), 0.3);
  assert.equal(reward('improvement', of(0.3), null), 0.3);
  assert.equal(reward('plain', of(0.3), of(0.9)), 0.3);
});

test('improvement is the share of what could be gained, never negative', () => {
  assert.equal(reward('improvement', of(0.75), of(0.5)), 0.5);
  assert.equal(reward('improvement', of(0.25), of(0.5)), 0);
  assert.equal(reward('improvement', of(1), of(1)), 0);
});

test('an attempt that could not be judged has no reward, rather than a bad one', () => {
  assert.equal(reward('plain', null, null), null);
  assert.equal(reward('improvement', null, of(0.5)), null);
});
