// The settings of the task space: the buffer, how it is sampled, what enters and leaves.
import { z } from 'zod';
import { SAMPLING } from '../curriculum/sampling.ts';
import { count, share } from './numbers.ts';

export const curriculum = z
  .strictObject({
    capacity: count
      .max(10_000_000, 'too big: a buffer holds ten million entries at most')
      .default(512)
      .describe('Entries of the task buffer (N)'),
    minimum: z.int().min(0).default(128).describe('No replay before the buffer holds so many (B_min)'),
    probability: share.default(0.5).describe('Probability of starting from the buffer (p)'),
    diverge: share
      .default(0.2)
      .describe('Probability that a self-iteration step is a divergence step (p_div), where the strategy has them'),
    sampling: z
      .enum(SAMPLING)
      .default('softmax')
      .describe(
        'softmax: P ~ exp(kappa S). rank: P ~ rank(S)^(-1/beta) (PLR). top: uniform over the topK highest (SFL)',
      ),
    kappa: z.number().min(0).max(500).default(10).describe('Inverse temperature of the softmax over scores'),
    beta: z.number().positive().default(0.1).describe('Temperature of sampling by rank'),
    topK: count.nullable().default(null).describe('How many of the highest scores are sampled (sampling: top)'),
    staleness: share
      .default(0)
      .describe('Share of replays drawn by the steps since the score was measured, not by score (rho of PLR)'),
    decay: z
      .number()
      .positive()
      .max(1)
      .default(1)
      .describe(
        'What a score is still worth one step after it was measured: a factor on the weight, or on S where ranked',
      ),
    children: z.enum(['all', 'best', 'random']).default('all').describe('Attempts of a group that become start points'),
    rescore: z.boolean().default(true).describe('A replayed start point takes the score just measured'),
    maxDepth: count.nullable().default(null).describe('Deepest start point; null: any'),
    maxAge: count.nullable().default(null).describe('Steps after which a start point leaves the buffer; null: never'),
    instances: count.nullable().default(null).describe('Training instances; null: unlimited'),
  })
  .refine((c) => c.minimum <= c.capacity, {
    error: ({ input }) => {
      const { minimum, capacity } = input as { minimum: number; capacity: number };
      return `the buffer never holds ${minimum} entries with capacity ${capacity}: lower it or raise curriculum.capacity`;
    },
    path: ['minimum'],
  })
  .refine((c) => c.sampling !== 'top' || c.topK !== null, {
    error: 'sampling the top needs topK: how many of the highest scores',
    path: ['topK'],
  })
  .refine((c) => c.topK === null || c.topK <= c.capacity, {
    error: 'topK exceeds capacity: there are never so many entries; lower it or raise curriculum.capacity',
    path: ['topK'],
  });
