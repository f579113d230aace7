import { checked, MetricError, weightedMean } from './check.ts';

type Values = readonly number[];

/** Mean squared error. */
export function meanSquaredError(truth: Values, prediction: Values, weights: Values | null = null): number {
  return weightedMean(checked(truth, prediction, weights), (row) => (truth[row]! - prediction[row]!) ** 2);
}

/** Root of the mean squared error, in units of the target. */
export const rootMeanSquaredError = (truth: Values, prediction: Values, weights: Values | null = null): number =>
  Math.sqrt(meanSquaredError(truth, prediction, weights));

/** RMSE of log(1 + y). Nothing may be at or below -1; scikit-learn refuses negative numbers, and so do we. */
export function rootMeanSquaredLogError(truth: Values, prediction: Values, weights: Values | null = null): number {
  checked(truth, prediction, weights);
  if (truth.some((y) => y < 0)) throw new MetricError('answers must not be negative for a logarithmic error');
  if (prediction.some((y) => y < 0)) throw new MetricError('predictions must not be negative for a logarithmic error');
  return rootMeanSquaredError(truth.map(Math.log1p), prediction.map(Math.log1p), weights);
}

/** Mean absolute error, in units of the target. */
export function meanAbsoluteError(truth: Values, prediction: Values, weights: Values | null = null): number {
  return weightedMean(checked(truth, prediction, weights), (row) => Math.abs(truth[row]! - prediction[row]!));
}

/** Share of the variance that is explained, 1 - SSE / SST; undefined where all answers are equal. */
export function rSquared(truth: Values, prediction: Values, weights: Values | null = null): number {
  const weight = checked(truth, prediction, weights);
  const centre = weightedMean(weight, (row) => truth[row]!);
  const total = weightedMean(weight, (row) => (truth[row]! - centre) ** 2);
  if (total === 0) throw new MetricError('all answers are equal');
  return 1 - meanSquaredError(truth, prediction, weights) / total;
}
