// Embeddings of attempts, for the diversity bonus. One line in EMBEDDERS makes another one available.
import { makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import type { Sampled } from '../batch/sampled.ts';
import { GENERATED_FIELDS } from '../batch/schema.ts';
import type { NativeModel } from '../native/addon.ts';
import { describeBatch } from '../native/bridge.ts';

/** Embeds every row of what was sampled. */
export type Embedder = (model: NativeModel, sampled: Sampled, microBatchTokens: number) => Promise<Float32Array[]>;

/** Mean of the policy's own hidden states over the answer: needs no other model. */
const hidden: Embedder = async (model, sampled, microBatchTokens) => {
  const names = ['tokens', 'loss_mask'];
  const fields = GENERATED_FIELDS.filter(({ name }) => names.includes(name));
  const children = GENERATED_FIELDS.flatMap(({ name }, i) => (names.includes(name) ? [sampled.data[i]!] : []));
  const data = makeData({ type: new Struct(fields), length: sampled.rows, nullCount: 0, children });
  const all = await model.embed(describeBatch(new RecordBatch(new Schema(fields), data)), { microBatchTokens });
  const width = all.length / sampled.rows;
  return Array.from({ length: sampled.rows }, (_, row) => all.slice(row * width, (row + 1) * width));
};

const BUCKETS = 256;
const LONGEST = 3;

/** Shares of the answer's n-grams, n = 1 .. 3, hashed into 256 buckets: says what the answer looks like, not what it means. */
const ngrams: Embedder = async (_, sampled) =>
  Array.from({ length: sampled.rows }, (__, row) => hashedNgrams(sampled.completion(row)));

export function hashedNgrams(tokens: Int32Array): Float32Array {
  const counts = new Float32Array(BUCKETS);
  let total = 0;
  for (let start = 0; start < tokens.length; start++) {
    let hash = 2166136261; // FNV-1a
    for (let n = 0; n < LONGEST && start + n < tokens.length; n++) {
      hash = Math.imul(hash ^ tokens[start + n]!, 16777619) >>> 0;
      counts[((hash ^ (hash >>> 15)) >>> 0) % BUCKETS]! += 1;
      total++;
    }
  }
  return total === 0 ? counts : counts.map((count) => count / total);
}

export const EMBEDDERS = { hidden, ngrams } as const satisfies Record<string, Embedder>;
export type EmbedderName = keyof typeof EMBEDDERS;
