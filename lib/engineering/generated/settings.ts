import { z } from 'zod';

export const FAMILIES = ['classification', 'regression', 'text', 'forecast'] as const;

/** What a made competition is like. The same settings and seed make the same one. */
export const generatedSettings = z.strictObject({
  family: z.enum(FAMILIES).default('regression').describe('Kind of task'),
  rows: z.int().min(60).max(20_000).default(600).describe('Training rows'),
  testRows: z.int().min(40).max(20_000).default(400).describe('Rows to predict, one half scored for the solver to see'),
  columns: z
    .int()
    .min(2)
    .max(100)
    .default(8)
    .describe('Numeric features (tabular), words of a document / 4 (text), series / 4 (forecast)'),
  noise: z
    .number()
    .min(0)
    .max(10)
    .default(0.3)
    .describe('What cannot be predicted, in standard deviations of what can'),
  interactions: z.int().min(0).max(50).default(3).describe('Effects that are no sum over features'),
  missing: z.number().min(0).max(0.9).default(0.05).describe('Share of empty cells'),
  shift: z
    .number()
    .min(0)
    .max(5)
    .default(0)
    .describe('How far test rows lie from training rows, in standard deviations'),
  imbalance: z.number().min(0.02).max(0.98).default(0.4).describe('Share of the first class'),
  entries: z.int().min(10).max(1000).default(100).describe('Entries of the leaderboard'),
});

export type GeneratedSettings = z.infer<typeof generatedSettings>;
