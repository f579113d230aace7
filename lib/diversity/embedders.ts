// Embeddings of attempts, for the diversity bonus. One line in EMBEDDERS makes another one available.
import type { Sampled } from '../batch/sampled.ts';
import type { Strategy } from '../curriculum/strategies.ts';

export interface Embedder {
  /** Whether it needs the mean hidden states of the answers, which the sampler returns if asked. */
  readonly hidden: boolean;
  /** Embeds every row of what was sampled. */
  embed(sampled: Sampled): Promise<readonly Float32Array[]>;
}

/** Mean of the policy's own hidden states over the answer: needs no other model and no pass of its own. */
const hidden: Embedder = {
  hidden: true,
  async embed({ embeddings, rows }) {
    if (embeddings === null) throw new Error('the sampler was not asked for embeddings');
    const width = embeddings.length / rows;
    return Array.from({ length: rows }, (_, row) => embeddings.subarray(row * width, (row + 1) * width));
  },
};

const BUCKETS = 256;
const LONGEST = 3;

/** Shares of the answer's n-grams, n = 1 .. 3, hashed into 256 buckets: says what the answer looks like, not what it means. */
const ngrams: Embedder = {
  hidden: false,
  embed: async (sampled) => Array.from({ length: sampled.rows }, (_, row) => hashedNgrams(sampled.completion(row))),
};

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

/** Whether the sampler has to return hidden states. */
export const needsHidden = (
  { diversityBonus }: Pick<Strategy, 'diversityBonus'>,
  { measure, embedder }: { readonly measure: boolean; readonly embedder: EmbedderName },
): boolean => (diversityBonus || measure) && EMBEDDERS[embedder].hidden;
