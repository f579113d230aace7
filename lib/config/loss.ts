// The settings of the native loss that a configuration may change. Formulas: native/ops/pg_loss/pg_loss.h.
import { z } from 'zod';
import type { LossSettings } from '../native/addon.ts';

const weight = z.number().min(0);

/** Everything but the temperature, which has to be that of sampling. */
type Overridable = Omit<LossSettings, 'temperature'>;

const fields = {
  ratio: z.enum(['token', 'sequence_mean', 'sequence_sum']),
  loss: z.enum(['clip', 'cispo', 'sapo', 'nll']),
  clipLow: weight,
  clipHigh: weight,
  delta: weight,
  cispoLow: weight,
  cispoHigh: weight,
  sapoPositive: weight,
  sapoNegative: weight,
  aggregation: z.enum(['sequence_mean', 'token_mean', 'constant']),
  normaliser: z.number().positive(),
  klWeight: weight,
  kl: z.enum(['k1', 'k2', 'k3']),
  klCorrected: z.boolean(),
  importance: z.enum(['none', 'token', 'sequence']),
  importanceMode: z.enum(['truncate', 'mask']),
  importanceMin: weight,
  importanceMax: weight,
  entropyWeight: z.number(),
  topEntropy: z.number().positive().max(1),
} satisfies { [Key in keyof Overridable]: z.ZodType<Overridable[Key]> };

export const lossOverrides = z.strictObject(fields).partial();
