import { checkBinary, checked, MetricError } from './check.ts';

/**
 * Area under the ROC curve: the probability that a positive row has the higher prediction than a negative one; equal
 * predictions count half. Undefined with one class only. O(n log n).
 */
export function auc(
  truth: readonly number[],
  prediction: readonly number[],
  weights: readonly number[] | null = null,
): number {
  const weight = checked(truth, prediction, weights);
  checkBinary(truth);
  const order = Array.from(truth.keys()).sort((a, b) => prediction[a]! - prediction[b]!);
  let negativesBelow = 0;
  let positives = 0;
  let area = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    let tiedPositive = 0;
    let tiedNegative = 0;
    for (; end < order.length && prediction[order[end]!] === prediction[order[start]!]; end++) {
      const row = order[end]!;
      if (truth[row] === 1) tiedPositive += weight[row]!;
      else tiedNegative += weight[row]!;
    }
    area += tiedPositive * (negativesBelow + tiedNegative / 2);
    negativesBelow += tiedNegative;
    positives += tiedPositive;
    start = end;
  }
  if (positives === 0 || negativesBelow === 0) throw new MetricError('AUC needs rows of both classes');
  return area / (positives * negativesBelow);
}
