// The diversity bonus of strategy `exit`: advantages grow with the distance of an attempt from the centre of its group.

export interface BonusSettings {
  /** Added to the spread of the distances, which is 0 where all are equal. */
  readonly epsilon: number;
  /** Largest factor. */
  readonly cap: number;
}

/**
 * Factors d_i = |e_i - c| / (max_j |e_j - c| - min_j |e_j - c| + epsilon), at most `cap`; c is the mean of the embeddings.
 * As in the paper (arXiv 2509.04575) the least distance is not subtracted: no factor but that of the centre is 0. A failure
 * far out gets a larger negative advantage, too.
 *
 * @param embeddings one per attempt (null: unknown, factor 1), all of one length
 */
export function diversityFactors(
  embeddings: readonly (Float32Array | null)[],
  { epsilon, cap }: BonusSettings,
): number[] {
  const present = embeddings.filter((embedding) => embedding !== null);
  const centre = centroid(present);
  const distances = embeddings.map((embedding) => (embedding === null ? null : distance(embedding, centre)));
  const own = distances.filter((d) => d !== null);
  const spread = Math.max(0, ...own) - Math.min(Number.POSITIVE_INFINITY, ...own);
  return distances.map((d) => (d === null ? 1 : Math.min(cap, d / (spread + epsilon))));
}

/** Mean Euclidean distance of all pairs; null for fewer than two. */
export function meanPairwiseDistance(embeddings: readonly (Float32Array | null)[]): number | null {
  const present = embeddings.filter((embedding) => embedding !== null);
  let sum = 0;
  let pairs = 0;
  for (const [i, a] of present.entries()) {
    for (const b of present.slice(i + 1)) {
      sum += distance(a, b);
      pairs++;
    }
  }
  return pairs === 0 ? null : sum / pairs;
}

function centroid(embeddings: readonly Float32Array[]): Float64Array {
  const centre = new Float64Array(embeddings[0]?.length ?? 0);
  for (const embedding of embeddings)
    for (const [i, value] of embedding.entries()) centre[i]! += value / embeddings.length;
  return centre;
}

function distance(a: Float32Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}
