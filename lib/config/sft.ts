// The description of a supervised stage (exit-rl sft).
import { z } from 'zod';
import { SHARD_BYTES } from '../huggingface/folder.ts';
import { count, share } from './numbers.ts';
import { model, optimizer } from './schema.ts';

export const sftSchema = z.strictObject({
  seed: z.int().min(0).default(1),
  threads: z.int().min(0).default(0).describe('CPU threads; 0: one per core'),
  data: z.strictObject({
    train: z.string().describe('JSON Lines, JSON or Arrow file with "messages", or "prompt" and "answer"'),
    heldOut: z.string().nullable().default(null).describe('The same to measure the loss on; null: a share of train'),
    heldOutShare: share.default(0.05).describe('Share of train that is held out where no file is given'),
    maxTokens: count.default(1024).describe('Longest example, in tokens'),
    tooLong: z.enum(['error', 'skip']).default('error').describe('What happens to longer ones'),
  }),
  model,
  optimizer: optimizer.prefault({}),
  train: z
    .strictObject({
      epochs: count.default(1),
      batchTokens: count.default(16384).describe('Tokens per step, prompts included'),
      microBatchTokens: count.default(8192).describe('Tokens per forward and backward pass'),
      recompute: z.enum(['none', 'block']).default('none').describe('block: keep less, compute more'),
      evaluateEvery: z.int().min(0).default(50).describe('Steps between held-out losses; 0: only at the end'),
    })
    .prefault({}),
  run: z
    .strictObject({
      checkpointEvery: count.default(200).describe('Steps between checkpoints'),
      keep: count.default(2).describe('Newest checkpoints that are kept'),
      maxShardBytes: count.default(SHARD_BYTES).describe('Larger weights are written as several files with an index'),
    })
    .prefault({}),
});

export type SftConfig = z.infer<typeof sftSchema>;
