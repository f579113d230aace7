// Metrics against scikit-learn's values (made once, kept as a fixture), and what they refuse.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import { quadraticKappa } from '../../lib/engineering/metrics/agreement.ts';
import { MetricError } from '../../lib/engineering/metrics/check.ts';
import { rootMeanSquaredLogError, rSquared } from '../../lib/engineering/metrics/distance.ts';
import { logLoss, multiclassLogLoss } from '../../lib/engineering/metrics/likelihood.ts';
import { auc } from '../../lib/engineering/metrics/ranking.ts';
import { findMetric, METRICS, metricNamed, type MetricName } from '../../lib/engineering/metrics/registry.ts';
import { Random } from '../../lib/rng.ts';

interface Case {
  readonly metric: MetricName;
  readonly truth: number[];
  readonly prediction: number[] | number[][];
  readonly weights?: number[];
  readonly value: number;
}

const file = path.join(packageRoot(), 'test/fixtures/metrics/scikit-learn.json');
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };

for (const [i, { metric, truth, prediction, weights = null, value }] of cases.entries()) {
  test(`${metric} is scikit-learn's, case ${i}${weights === null ? '' : ', weighted'}`, () => {
    const rows = prediction as number[][];
    const result =
      metric === 'multiclass_log_loss'
        ? multiclassLogLoss(truth, rows, weights)
        : METRICS[metric].evaluate([truth], [prediction as number[]], weights);
    // Clipped at another place than scikit-learn would differ by a lot; the rest is rounding.
    assert.ok(Math.abs(result - value) <= 1e-12 * Math.max(1, Math.abs(value)), `${result} instead of ${value}`);
  });
}

test('every metric has a case', () => {
  const seen = new Set<string>(cases.map(({ metric }) => metric));
  assert.deepEqual(
    Object.keys(METRICS).filter((name) => !seen.has(name)),
    [],
  );
});

test('AUC is the share of pairs in the right order', () => {
  const random = new Random(1, 'auc');
  const truth = Array.from({ length: 60 }, () => random.below(2));
  const prediction = truth.map(() => random.below(8) / 8);
  let right = 0;
  let pairs = 0;
  for (const [i, a] of truth.entries()) {
    for (const [j, b] of truth.entries()) {
      if (a !== 1 || b !== 0) continue;
      pairs++;
      right += prediction[i]! > prediction[j]! ? 1 : prediction[i] === prediction[j] ? 0.5 : 0;
    }
  }
  assert.ok(Math.abs(auc(truth, prediction) - right / pairs) < 1e-12);
});

test('a weight is worth as many copies of the row', () => {
  const truth = [0, 1, 1, 2];
  const prediction = [0, 2, 1, 1];
  const copies = (values: readonly number[]): number[] => values.flatMap((value, i) => new Array(i + 1).fill(value));
  for (const name of ['rmse', 'mae', 'accuracy', 'macro_f1', 'quadratic_kappa', 'r2'] as const) {
    const weighted = METRICS[name].evaluate([truth], [prediction], [1, 2, 3, 4]);
    assert.ok(Math.abs(weighted - METRICS[name].evaluate([copies(truth)], [copies(prediction)])) < 1e-12, name);
  }
});

test('several columns are averaged, classes belong together', () => {
  assert.equal(
    METRICS.mae.evaluate(
      [
        [0, 0],
        [0, 0],
      ],
      [
        [1, 1],
        [3, 3],
      ],
    ),
    2,
  );
  const oneHot = [
    [1, 0],
    [0, 1],
  ];
  assert.ok(
    Math.abs(
      METRICS.multiclass_log_loss.evaluate(oneHot, [
        [0.5, 0.25],
        [0.5, 0.75],
      ]) +
        Math.log(0.375) / 2,
    ) < 1e-12,
  );
});

test('a wrong certainty costs 36 nats, not infinity', () => {
  assert.ok(Math.abs(logLoss([1], [0]) - 36.04) < 0.01);
  assert.ok(logLoss([1], [1]) < 1e-15);
});

test('what is not defined is an error that says so', () => {
  const cases: [() => number, RegExp][] = [
    [() => auc([1, 1], [0.1, 0.2]), /both classes/],
    [() => auc([0, 2], [0.1, 0.2]), /0 or 1/],
    [() => auc([], []), /no rows/],
    [() => auc([0, 1], [0.1]), /1 predictions for 2 rows/],
    [() => auc([0, 1], [0.1, Number.NaN]), /not a finite number/],
    [() => auc([0, 1], [0.1, 0.2], [1, -1]), /weight is negative/],
    [() => auc([0, 1], [0.1, 0.2], [0, 0]), /all weights are 0/],
    [() => logLoss([0, 1], [0.1, 1.5]), /from 0 to 1/],
    [() => multiclassLogLoss([0], [[0.5, 0.2]]), /sum to 1/],
    [() => multiclassLogLoss([5], [[0.5, 0.5]]), /finite/],
    [() => rootMeanSquaredLogError([1], [-0.5]), /negative/],
    [() => rSquared([1, 1], [1, 2]), /all answers are equal/],
    [() => quadraticKappa([1, 2], [1, 1.5]), /whole numbers/],
    [() => quadraticKappa([1, 1], [1, 1]), /two different ratings/],
  ];
  for (const [run, expected] of cases)
    assert.throws(run, (error) => error instanceof MetricError && expected.test(error.message));
});

test('names as configurations write them', () => {
  assert.equal(findMetric('auc-roc'), 'auc');
  assert.equal(findMetric('multi-class-log-loss'), 'multiclass_log_loss');
  assert.equal(findMetric('mean-column-wise-rmsle'), 'rmsle');
  assert.equal(findMetric('column-wise ROC AUC'), 'auc');
  assert.equal(findMetric('mean-average-precision-at-k'), null);
  assert.throws(() => metricNamed('rmsee'), /did you mean "rmse"/);
});
