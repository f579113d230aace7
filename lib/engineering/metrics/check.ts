// What metrics may be asked: every complaint is about the data, in words for whoever wrote it.

/** A metric is not defined for this data. */
export class MetricError extends Error {
  override readonly name = 'MetricError';
}

/** Weights of the rows, 1 where there are none. Throws a `MetricError` unless everything has one length and is finite. */
export function checked(
  truth: readonly number[],
  prediction: readonly number[],
  weights: readonly number[] | null,
): readonly number[] {
  if (truth.length === 0) throw new MetricError('there are no rows');
  if (prediction.length !== truth.length)
    throw new MetricError(`${prediction.length} predictions for ${truth.length} rows`);
  if (!truth.every(Number.isFinite)) throw new MetricError('an answer is not a finite number');
  if (!prediction.every(Number.isFinite)) throw new MetricError('a prediction is not a finite number');
  if (weights === null) return new Array<number>(truth.length).fill(1);
  if (weights.length !== truth.length) throw new MetricError(`${weights.length} weights for ${truth.length} rows`);
  if (!weights.every((weight) => Number.isFinite(weight) && weight >= 0))
    throw new MetricError('a weight is negative or not finite');
  if (sum(weights) === 0) throw new MetricError('all weights are 0');
  return weights;
}

export function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Mean of a function of the rows. */
export function weightedMean(weights: readonly number[], of: (row: number) => number): number {
  let total = 0;
  for (const [row, weight] of weights.entries()) if (weight !== 0) total += weight * of(row);
  return total / sum(weights);
}

export function checkBinary(truth: readonly number[]): void {
  if (!truth.every((y) => y === 0 || y === 1)) throw new MetricError('answers must be 0 or 1');
}
