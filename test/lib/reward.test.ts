import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Outcome, reward } from '../../lib/rewards/reward.ts';

const of = (quality: number): { tokens: Int32Array; feedback: Int32Array; quality: number } => ({
  ...{ tokens: Int32Array.of(), feedback: Int32Array.of(), quality },
});

const outcome = (quality: number, previous: number | null): Outcome => ({
  attempt: of(quality),
  previous: previous === null ? null : of(previous),
  ...{ history: [], later: [], rule: undefined },
});

test('base steps and plain self-iteration get the quality', () => {
  assert.equal(reward('plain', outcome(0.3, null)), 0.3);
  assert.equal(reward('improvement', outcome(0.3, null)), 0.3);
  assert.equal(reward('plain', outcome(0.3, 0.9)), 0.3);
});

test('improvement is the share of what could be gained, never negative', () => {
  assert.equal(reward('improvement', outcome(0.75, 0.5)), 0.5);
  assert.equal(reward('improvement', outcome(0.25, 0.5)), 0);
  assert.equal(reward('improvement', outcome(1, 1)), 0);
});

test('signed improvement punishes breaking what was right', () => {
  assert.equal(reward('signed', outcome(0.75, 0.5)), 1);
  assert.equal(reward('signed', outcome(0, 1)), -1);
  assert.equal(reward('signed', outcome(0.5, null)), 0.5);
});

test('the return of an episode is the mean over its turns, whole history', () => {
  const episode = { ...outcome(0.5, 0.25), history: [of(1)], later: [of(0), of(0.5)] };
  assert.equal(reward('plain', episode), 0.5);
  assert.equal(reward('improvement', episode), 1 / 3, 'what the step made of the answer it was shown');
});

test('the return of an episode may be that of its last answer', () => {
  const episode: Outcome = { ...outcome(0.5, 0.25), later: [of(0), of(0.75)], rule: 'last' };
  assert.equal(reward('plain', episode), 0.75);
});

test('rewards are combined with weights', () => {
  assert.equal(reward({ plain: 1, signed: 0.5 }, outcome(0.75, 0.5)), 1.25);
  assert.equal(reward({ improvement: 2 }, outcome(0.75, 0.5)), 1);
  assert.equal(reward({ improvement: 2 }, outcome(0.75, null)), 0.75, 'base steps have the plain reward');
});

test('an attempt that could not be judged has no reward, rather than a bad one', () => {
  assert.equal(reward('plain', null), null);
});
