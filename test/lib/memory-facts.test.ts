import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineMemory, memoryFacts, MOST } from '../../lib/huggingface/memory.ts';
import type { MemoryPlan, MemoryRequest } from '../../lib/native/addon.ts';

const REQUEST: MemoryRequest = {
  ...{ prompts: 2, samplesPerPrompt: 4, promptTokens: 30, newTokens: 70, maxRunning: 256, prefillTokens: 2048 },
  ...{ microBatchTokens: 4096, recompute: 'none', reference: false },
};

/** 1000 bytes of weights, one for every token of a sequence or, eight, four with recomputation, of a micro-batch. */
const addon = {
  planModel: (_config: string, r: MemoryRequest): MemoryPlan => {
    const sampled = Math.min(r.maxRunning, r.prompts * r.samplesPerPrompt) * (r.promptTokens + r.newTokens);
    const trained = r.training === false ? 0 : r.microBatchTokens * (r.recompute === 'none' ? 8 : 4) - sampled;
    return { total: 1000 + sampled + trained, segments: [] };
  },
};
const facts = (total: number) => memoryFacts(addon, '{}', REQUEST, undefined, { total, available: total });

test('what fits is the most that fits', () => {
  const { inference, training, largest } = facts(1000 + 50 * 100);
  assert.deepEqual([inference.plan.total, inference.fits], [1000 + 8 * 100, true]);
  assert.deepEqual([training.plan.total, training.fits], [1000 + 4096 * 8, false]);
  assert.deepEqual(largest, { sequences: 50, microBatchTokens: 512, microBatchTokensRecomputed: 1024 });
});

test('nothing fits, everything fits', () => {
  const none = facts(10);
  assert.deepEqual(none.largest, { sequences: 0, microBatchTokens: 0, microBatchTokensRecomputed: 0 });
  assert.ok(!none.inference.fits && !none.training.fits);
  const { largest } = facts(2 ** 50);
  assert.deepEqual([largest.sequences, largest.microBatchTokens], [MOST.sequences, MOST.tokens]);
});

test('the memory of this machine', () => {
  const { total, available } = machineMemory();
  assert.ok(available > 0 && available <= total);
});
