import { checkBinary, checked, MetricError, weightedMean } from './check.ts';

type Values = readonly number[];

/** Share of the rows with the right label. */
export function accuracy(truth: Values, prediction: Values, weights: Values | null = null): number {
  return weightedMean(checked(truth, prediction, weights), (row) => (truth[row] === prediction[row] ? 1 : 0));
}

/** 2 TP / (2 TP + FP + FN) of one label; 0 where it is neither true nor predicted. */
function f1Of(label: number, truth: Values, prediction: Values, weight: Values): number {
  let both = 0;
  let either = 0;
  for (const [row, w] of weight.entries()) {
    const isTrue = truth[row] === label;
    const isPredicted = prediction[row] === label;
    if (isTrue && isPredicted) both += w;
    else if (isTrue || isPredicted) either += w;
  }
  return both === 0 ? 0 : (2 * both) / (2 * both + either);
}

/** F1 of the label 1. */
export function f1(truth: Values, prediction: Values, weights: Values | null = null): number {
  const weight = checked(truth, prediction, weights);
  checkBinary(truth);
  if (!prediction.every((y) => y === 0 || y === 1)) throw new MetricError('predictions must be 0 or 1');
  return f1Of(1, truth, prediction, weight);
}

/** Mean F1 of all labels that are true or predicted somewhere, each counting the same. */
export function macroF1(truth: Values, prediction: Values, weights: Values | null = null): number {
  const weight = checked(truth, prediction, weights);
  const labels = [...new Set([...truth, ...prediction])];
  return labels.reduce((total, label) => total + f1Of(label, truth, prediction, weight), 0) / labels.length;
}

/** Ratings beyond this many different ones are no ratings. */
const MOST_RATINGS = 1000;

/**
 * Cohen's kappa with quadratic weights between whole-numbered ratings: 1 - observed / expected disagreement, (i - j)^2
 * each. As in scikit-learn, i and j are places among the ratings that occur.
 */
export function quadraticKappa(truth: Values, prediction: Values, weights: Values | null = null): number {
  const weight = checked(truth, prediction, weights);
  if (![...truth, ...prediction].every(Number.isInteger)) throw new MetricError('ratings must be whole numbers');
  const ratings = [...new Set([...truth, ...prediction])].sort((a, b) => a - b);
  if (ratings.length > MOST_RATINGS) throw new MetricError(`more than ${MOST_RATINGS} different ratings`);
  const place = new Map(ratings.map((rating, i) => [rating, i]));
  const trueShare = new Float64Array(ratings.length);
  const predictedShare = new Float64Array(ratings.length);
  const observed = weightedMean(weight, (row) => {
    const i = place.get(truth[row]!)!;
    const j = place.get(prediction[row]!)!;
    trueShare[i]! += weight[row]!;
    predictedShare[j]! += weight[row]!;
    return (i - j) ** 2;
  });
  let expected = 0;
  let total = 0;
  for (const [i, a] of trueShare.entries()) {
    total += a;
    for (const [j, b] of predictedShare.entries()) expected += a * b * (i - j) ** 2;
  }
  if (expected === 0) throw new MetricError('kappa needs at least two different ratings');
  return 1 - (observed * total * total) / expected;
}
