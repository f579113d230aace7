// Rollouts of the golden checkpoints, made to be awkward: prompts around the borders of cache pages, several samples each.
import type { GenerateResult, GenerateSettings, NativeModel } from '../../lib/native/addon.ts';
import { describePacked, pack, prompts } from './batch.ts';
import { assertSameBits } from './compare.ts';
import { flat, type GeneratedRow, rows } from './generated.ts';
import { folder } from './golden.ts';
import { GENERATE } from './settings.ts';

const PAGE = 16;
const NEW_TOKENS = 37;
const PROMPT_LENGTHS = [1, 15, 16, 17, 33, 5];
export const SAMPLES = 3;
export const FIRST_SEQUENCE = 1000;

interface CheckpointCase {
  readonly config?: object;
}

/** One checkpoint per family (rounded and sharded twins have no config of their own in the manifest). */
export const FAMILIES: readonly string[] = folder<CheckpointCase>('checkpoints', { title: null })
  .cases.filter(([, c]) => c.config)
  .map(([name]) => name);

export const vocabularyOf = (model: NativeModel): number => JSON.parse(model.config).vocab_size;

export function makePrompts(model: NativeModel): number[][] {
  const vocabulary = vocabularyOf(model);
  return PROMPT_LENGTHS.map((n, p) => Array.from({ length: n }, (_, i) => (p * 131 + i * 29 + 7) % vocabulary));
}

export async function generate(
  model: NativeModel,
  sequences: readonly number[][],
  changes: Partial<GenerateSettings>,
): Promise<{ rows: GeneratedRow[]; stats: GenerateResult['stats'] }> {
  const settings = {
    ...GENERATE,
    samplesPerPrompt: SAMPLES,
    maxNewTokens: NEW_TOKENS,
    seed: 11,
    firstSequence: FIRST_SEQUENCE,
    ...changes,
  };
  const result = await model.generate(prompts(sequences), settings);
  return { rows: rows(result), stats: result.stats };
}

/** The pool that the longest sequence just fits into, with one page to spare: most of the batch must wait or give way. */
export const TIGHT_PAGES: number = Math.ceil((Math.max(...PROMPT_LENGTHS) + NEW_TOKENS) / PAGE) + 1;

/** Zero on the prompt, as the sampler leaves it. */
export function completionOnly(scores: Float32Array, generated: readonly GeneratedRow[]): Float32Array {
  const out = scores.slice();
  let at = 0;
  for (const row of generated) {
    out.fill(0, at, at + row.promptLength);
    at += row.tokens.length;
  }
  return out;
}

export async function score(
  model: NativeModel,
  generated: readonly GeneratedRow[],
  options: { temperature?: number; weights?: 'policy' | 'reference'; microBatchTokens?: number } = {},
): Promise<Float32Array> {
  const batch = describePacked(pack(generated.map((row) => row.tokens)));
  const all = { temperature: 1, weights: 'policy', microBatchTokens: 8192, ...options } as const;
  const { logprob } = await model.score(batch, all);
  return completionOnly(logprob, generated);
}

/** Recorded while sampling = computed by the training forward. */
export async function assertExact(
  what: string,
  model: NativeModel,
  generated: readonly GeneratedRow[],
  temperature: number,
): Promise<void> {
  const recorded = flat(generated.map((row) => row.logprob));
  for (const microBatchTokens of [8192, 100]) {
    const scored = await score(model, generated, { temperature, microBatchTokens });
    assertSameBits(`${what}: logprob, micro-batches of ${microBatchTokens}`, recorded, scored);
  }
  const raw = flat(generated.map((row) => row.rawLogprob));
  assertSameBits(`${what}: raw_logprob`, raw, await score(model, generated));
}

/** A training batch made of generated rows, with an advantage per token so that no two tokens pull alike. */
export function trainingBatch(generated: readonly GeneratedRow[]): ReturnType<typeof describePacked> {
  const { tokens, offsets } = pack(generated.map((row) => row.tokens));
  return describePacked({
    tokens,
    offsets,
    loss_mask: pack(generated.map((row) => row.mask)).tokens,
    logprob: flat(generated.map((row) => row.logprob)),
    token_advantage: Float32Array.from(tokens, (_, i) => Math.sin(i)),
  });
}
