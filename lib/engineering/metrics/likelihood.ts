import { checkBinary, checked, MetricError, sum, weightedMean } from './check.ts';

/** Probabilities are kept this far from 0 and 1: half of it would be lost in 1 - p. The value scikit-learn clips float32 at. */
const EPSILON = 2.220446049250313e-16;

const clipped = (p: number): number => Math.min(1 - EPSILON, Math.max(EPSILON, p));

function checkProbability(p: number): void {
  if (!(p >= 0 && p <= 1)) throw new MetricError(`a probability must be from 0 to 1, not ${p}`);
}

/** Mean negative log-likelihood of 0/1 answers, nats. Probabilities of 0 and 1 are clipped by 2.2e-16. */
export function logLoss(
  truth: readonly number[],
  prediction: readonly number[],
  weights: readonly number[] | null = null,
): number {
  const weight = checked(truth, prediction, weights);
  checkBinary(truth);
  prediction.forEach(checkProbability);
  return weightedMean(
    weight,
    (row) => -Math.log(truth[row] === 1 ? clipped(prediction[row]!) : 1 - clipped(prediction[row]!)),
  );
}

/** How far a row of probabilities may be from a sum of 1. */
const SUM_TOLERANCE = 1e-5;

/**
 * Mean negative log-probability of the true class, nats. `prediction[row][k]`: probability of class k; `truth[row]`: the
 * number of the true class. Rows must sum to 1.
 */
export function multiclassLogLoss(
  truth: readonly number[],
  prediction: readonly (readonly number[])[],
  weights: readonly number[] | null = null,
): number {
  const classes = prediction[0]?.length ?? 0;
  if (classes < 2) throw new MetricError('there must be at least two classes');
  for (const row of prediction) {
    if (row.length !== classes) throw new MetricError('every row needs a probability of each class');
    row.forEach(checkProbability);
    if (Math.abs(sum(row) - 1) > SUM_TOLERANCE)
      throw new MetricError(`the probabilities of a row must sum to 1, not ${sum(row)}`);
  }
  const ofTruth = truth.map((k, row) => prediction[row]?.[k] ?? Number.NaN);
  const weight = checked(truth, ofTruth, weights);
  return weightedMean(weight, (row) => -Math.log(clipped(ofTruth[row]!)));
}
