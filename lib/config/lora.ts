// A fresh LoRA adapter (arXiv 2106.09685): what is trained when the model itself stays as it is.
import { z } from 'zod';
import { count } from './numbers.ts';

export const lora = z
  .strictObject({
    rank: count.default(16).describe('Rank of the adapter'),
    alpha: z.number().positive().default(32).describe('What the adapter adds is scaled by alpha / rank'),
    rslora: z.boolean().default(false).describe('Scale by alpha / sqrt(rank) instead'),
    targets: z
      .union([z.array(z.string().min(1)).min(1), z.string().min(1)], {
        error: 'expected all-linear, a list of names like q_proj, or a regular expression',
      })
      .default('all-linear')
      .describe(
        'Adapted layers: all-linear; a list of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj; ' +
          'or a regular expression for whole names like model.layers.0.self_attn.q_proj',
      ),
    layers: z
      .array(z.int().min(0))
      .min(1)
      .nullable()
      .default(null)
      .describe('Numbers of the adapted blocks; null: all'),
    dropout: z
      .number()
      .refine((dropout) => dropout === 0, {
        error: 'must be 0: with dropout the policy that is trained would not be the one that sampled',
      })
      .default(0)
      .describe('Must be 0'),
  })
  .refine(({ layers, targets }) => layers === null || typeof targets !== 'string' || targets === 'all-linear', {
    error: 'a regular expression in targets says itself which blocks it means',
    path: ['layers'],
  });

export type LoraConfig = z.infer<typeof lora>;
