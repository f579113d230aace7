// generation_config.json: how whoever made a model wants it to be sampled. What is not there has transformers' default.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { readJson } from '../runs/files.ts';
import { GENERATION_CONFIG } from './companions.ts';

/** Sampling as the file asks for it, in this engine's terms. */
export interface GenerationConfig {
  /** 0: greedy (do_sample is false or not there). */
  readonly temperature: number;
  /** 0: off. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  /** Each of them ends an answer. */
  readonly eosTokens: readonly number[];
  /** Settings of the file that would change what is sampled and that are not followed. */
  readonly ignored: readonly string[];
}

const token = z.int().min(0);
/** Null is the same as not being there. */
const schema = z.looseObject({
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().positive().max(1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  eos_token_id: z.union([token, z.array(token)], { error: 'expected a token id or a list of them' }).nullish(),
});

/** Settings that are not followed, with the value that leaves them off. */
const OFF: Readonly<Record<string, unknown>> = {
  ...{ num_beams: 1, num_beam_groups: 1, penalty_alpha: 0, typical_p: 1, epsilon_cutoff: 0, eta_cutoff: 0, top_h: 0 },
  ...{ no_repeat_ngram_size: 0, encoder_no_repeat_ngram_size: 0, encoder_repetition_penalty: 1, guidance_scale: 1 },
  ...{ min_new_tokens: 0, min_length: 0, length_penalty: 1, diversity_penalty: 0, sequence_bias: null },
  ...{ bad_words_ids: null, suppress_tokens: null, begin_suppress_tokens: null, constraints: null },
  ...{ forced_bos_token_id: null, forced_eos_token_id: null, exponential_decay_length_penalty: null },
};

/** Reads a folder's file; null when there is none. */
export function readGenerationConfig(folder: string): GenerationConfig | null {
  const path = join(folder, GENERATION_CONFIG);
  if (!existsSync(path)) return null;
  const parsed = schema.safeParse(readJson(path));
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path: key, message }) => `${key.join('.') || 'the file'}: ${message}`);
    throw new UserError(`${path}: ${issues.join('; ')}`);
  }
  const file = parsed.data;
  const eosTokens = [file.eos_token_id ?? []].flat();
  const vocabulary = vocabularyOf(folder);
  const outside = eosTokens.find((id) => id >= vocabulary);
  if (outside !== undefined) {
    throw new UserError(`${path}: eos_token_id: ${outside} is outside of the vocabulary of ${vocabulary} tokens`);
  }
  const ignored = Object.entries(OFF)
    .filter(([key, off]) => (file[key] ?? off) !== off)
    .map(([key]) => key);
  const repetitionPenalty = file.repetition_penalty ?? 1;
  if (file.do_sample !== true) {
    return { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty, eosTokens, ignored };
  }
  const { temperature, top_k: topK, top_p: topP, min_p: minP } = file;
  return {
    ...{ temperature: temperature ?? 1, topK: topK ?? 50, topP: topP ?? 1, minP: minP ?? 0 },
    ...{ repetitionPenalty, eosTokens, ignored },
  };
}

function vocabularyOf(folder: string): number {
  const path = join(folder, 'config.json');
  const size = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as { vocab_size?: unknown }).vocab_size
    : null;
  return typeof size === 'number' ? size : Number.POSITIVE_INFINITY;
}

/** Content of a file for a model that came without one: token ids from its config.json, and how it was sampled. */
export function generationConfigFor(configJson: string, sampling: Readonly<Record<string, unknown>>): string {
  const config = JSON.parse(configJson) as Record<string, unknown>;
  const ids = ['bos_token_id', 'eos_token_id', 'pad_token_id'].filter((key) => (config[key] ?? null) !== null);
  const content = { ...Object.fromEntries(ids.map((key) => [key, config[key]])), ...sampling };
  return `${JSON.stringify({ _from_model_config: true, ...content }, null, 2)}\n`;
}
